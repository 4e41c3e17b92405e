import { randomUUID } from 'node:crypto';
import type { RedisConnections } from '#libs/redis';
import { replaceMark } from './scripts.js';

const whole = 'whole';
/** A rebuild that takes longer, or whose process died, is begun again by whoever looks next. */
const rebuildMs = 5 * 60_000;

/**
 * Says of a stream of events that nothing of it is known to be lost. The mark lies beside the stream, so whatever takes all
 * of Redis takes it too; whoever finds that events are gone removes it; and the relay of the sender, which looks for it,
 * sends again what its outbox has and sets it. It is also what keeps two relays from doing so at once.
 */
export class StreamMark {
  private readonly markKey: string;

  constructor(
    streamKey: string,
    private readonly redis: RedisConnections,
  ) {
    this.markKey = redis.keys.whole(streamKey);
  }

  async isMissing(): Promise<boolean> {
    return (await this.redis.client('broker').exists(this.markKey)) === 0;
  }

  async remove(): Promise<void> {
    await this.redis.client('broker').del(this.markKey);
  }

  /** Undefined where somebody else is rebuilding, or has done so. */
  async beginRebuild(): Promise<string | undefined> {
    const token = `rebuild:${randomUUID()}`;
    const isOurs = await this.redis.client('broker').set(this.markKey, token, 'PX', rebuildMs, 'NX');
    return isOurs === 'OK' ? token : undefined;
  }

  /** False where something was lost during the rebuild, so that another is due. */
  async endRebuild(token: string): Promise<boolean> {
    return (await replaceMark.run(this.redis.call('broker'), this.markKey, token, whole)) === 1;
  }
}
