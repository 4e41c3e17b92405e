/** The clock of the Redis server, as last heard from it. It may be another server's by now, so it never judges alone. */
export class ServerClock {
  private heard: { readonly serverMs: number; readonly at: number } | undefined;

  hear(serverMs: number): void {
    this.heard = { serverMs, at: performance.now() };
  }

  /** For a new connection, which may lead to another server. */
  forget(): void {
    this.heard = undefined;
  }

  /** Milliseconds since the epoch; undefined while nothing was heard. */
  nowMs(): number | undefined {
    return this.heard && this.heard.serverMs + (performance.now() - this.heard.at);
  }
}
