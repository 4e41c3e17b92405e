import type { RedisConnections } from './redis-connections.js';
import { RedisScript } from './redis-script.js';

const takeToken = RedisScript.load(new URL('./lua/take-token.lua', import.meta.url), 1);

export interface BucketSize {
  readonly perSecond: number;
  readonly burst: number;
}

/**
 * Token buckets that all instances share. They only hold off a caller who asks too fast: where Redis does not answer, or
 * was emptied, whoever asks may go on.
 */
export class TokenBuckets {
  constructor(private readonly redis: RedisConnections) {}

  /** Takes all or none; a count below 0 gives back. @returns 0 where they were taken, else the seconds until they are there */
  async take(subject: string, { perSecond, burst }: BucketSize, count = 1): Promise<number> {
    if (!this.redis.isReady('broker')) return 0;
    const key = this.redis.keys.bucket(subject);
    const missing = await takeToken
      .run(this.redis.call('broker'), key, Math.round(1_000_000 / perSecond), burst, count)
      .catch(() => 0);
    return Number(missing) / 1_000_000;
  }
}
