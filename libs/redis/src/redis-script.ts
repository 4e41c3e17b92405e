import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Sends one command on a connection. */
export type RedisCall = (command: string, ...args: (string | number | Buffer)[]) => Promise<unknown>;

/** A Lua script beside the code that calls it; its head says what KEYS, ARGV and the reply are. */
export class RedisScript {
  private readonly sha: string;

  private constructor(
    private readonly lua: string,
    private readonly keyCount: number,
  ) {
    this.sha = createHash('sha1').update(lua).digest('hex');
  }

  /** Read at start, so that a missing script fails then. */
  static load(file: URL, keyCount: number): RedisScript {
    return new RedisScript(readFileSync(file, 'utf8'), keyCount);
  }

  /** By its digest; a server that does not know it, new or flushed, is sent the text. */
  async run(call: RedisCall, ...args: (string | number | Buffer)[]): Promise<unknown> {
    try {
      return await call('EVALSHA', this.sha, this.keyCount, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return call('EVAL', this.lua, this.keyCount, ...args);
    }
  }

  /** Makes it known to the server beforehand, where a second try would have to wait behind a blocking command. */
  async prepare(call: RedisCall): Promise<void> {
    await call('SCRIPT', 'LOAD', this.lua);
  }
}
