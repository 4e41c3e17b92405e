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
    while (this.free <= 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** Takes a slot for `work` and gives it back; `work` must not reject. */
  run(work: () => Promise<void>): void {
    this.used += 1;
    void work().finally(() => {
      this.used -= 1;
      this.wake();
    });
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    while (this.used > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}
