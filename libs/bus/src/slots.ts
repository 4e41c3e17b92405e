/** How many handlers run at once; a reader takes no more messages than there are free slots. */
export class Slots {
  private used = 0;
  private waiting: (() => void)[] = [];

  constructor(readonly max: number) {}

  get free(): number {
    return this.max - this.used;
  }

  get inUse(): number {
    return this.used;
  }

  /** Resolves when at least one slot is free. */
  async available(): Promise<void> {
    while (this.free <= 0) await this.change();
  }

  /** Takes a slot as soon as one is free. */
  async acquire(): Promise<void> {
    // Another waiter may be quicker, so it is looked at again in the same turn in which it is taken.
    while (this.free <= 0) await this.change();
    this.used += 1;
  }

  /** Takes slots for messages that are in hand and not handled yet. */
  take(count: number): void {
    this.used += count;
  }

  give(count: number): void {
    this.used -= count;
    const { waiting } = this;
    if (waiting.length === 0) return;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Takes a slot for `work` and gives it back; `work` must not reject. */
  run(work: () => Promise<void>): void {
    this.take(1);
    void work().finally(() => this.give(1));
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    while (this.used > 0) await this.change();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}
