/** The clock of the Redis server, as last heard from it: a little behind, by what its answer took, and never ahead. */
export class ServerClock {
  private heard: { readonly serverMs: number; readonly at: number } | undefined;

  hear(serverMs: number): void {
    this.heard = { serverMs, at: performance.now() };
  }

  /** Milliseconds since the epoch; undefined while nothing was heard. */
  nowMs(): number | undefined {
    return this.heard && this.heard.serverMs + (performance.now() - this.heard.at);
  }
}
