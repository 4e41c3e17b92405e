import type { Envelope } from '#libs/contracts';

/** The reply to one request, which may come at any time, also between two sendings. */
export class AwaitedReply {
  private reply: Envelope | undefined;
  private wake: (() => void) | undefined;

  arrive(reply: Envelope): void {
    this.reply = reply;
    this.wake?.();
  }

  /** Lets whoever waits look whether there is still something to wait for. */
  doubt(): void {
    this.wake?.();
  }

  /** The reply, once; undefined when it does not come within `ms`, or before the signal fires or it is doubted. */
  async within(ms: number, signal?: AbortSignal): Promise<Envelope | undefined> {
    if (!this.reply && ms > 0 && !signal?.aborted) await this.change(ms, signal);
    const { reply } = this;
    this.reply = undefined;
    return reply;
  }

  private change(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', finish);
        this.wake = undefined;
        resolve();
      };
      const timer = setTimeout(finish, ms);
      signal?.addEventListener('abort', finish, { once: true });
      this.wake = finish;
    });
  }
}
