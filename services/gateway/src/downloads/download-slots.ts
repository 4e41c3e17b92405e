import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { AppError } from '#libs/kernel';
import type { GatewayConfig } from '../gateway.config.js';

const retryAfterSeconds = 5;

/** How many downloads are under way, in all and for each user. */
@Injectable()
export class DownloadSlots {
  private readonly byUser = new Map<string, number>();
  private taken = 0;

  constructor(@InjectConfig() private readonly config: Pick<GatewayConfig, 'downloads'>) {}

  get count(): number {
    return this.taken;
  }

  /**
   * A place, to be given back once by what is answered.
   * @throws AppError download.too_many
   */
  take(userId: string): () => void {
    const { max, perUserMax } = this.config.downloads;
    const ofUser = this.byUser.get(userId) ?? 0;
    if (ofUser >= perUserMax)
      throw tooMany(`You have ${ofUser} downloads under way, and more at a time are not allowed.`);
    if (this.taken >= max) throw tooMany('There are too many downloads under way.');
    this.taken += 1;
    this.byUser.set(userId, ofUser + 1);
    return () => this.release(userId);
  }

  private release(userId: string): void {
    this.taken -= 1;
    const left = (this.byUser.get(userId) ?? 1) - 1;
    if (left > 0) this.byUser.set(userId, left);
    else this.byUser.delete(userId);
  }
}

function tooMany(message: string): AppError {
  return new AppError('download.too_many', message, { retryable: true, retryAfterSeconds });
}
