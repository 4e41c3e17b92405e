/** Runs one piece of work at a time, in the order in which they came. */
export class OneAtATime {
  private last: Promise<void> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.last.then(work);
    const settled = (): void => undefined;
    this.last = done.then(settled, settled);
    return done;
  }
}
