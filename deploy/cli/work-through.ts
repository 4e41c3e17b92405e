import type { KeyProgress } from '#libs/contracts';

export interface Tally {
  readonly total: number;
  readonly resealed: number;
  readonly unreadable: number;
}

export interface Answer {
  readonly progress?: KeyProgress;
}

/** Asks for piece after piece, and says on standard error how far it is. */
export async function workThrough(name: string, ask: (after: string) => Promise<Answer>): Promise<Tally> {
  let [seen, resealed, unreadable] = [0, 0, 0];
  // A piece with nothing in it, such as a table that is empty, is no progress.
  let told = '';
  for (let after = ''; ;) {
    const { progress } = await ask(after);
    if (!progress) throw new Error(`${name} answered without progress`);
    seen += progress.seen;
    resealed += progress.resealed;
    unreadable += progress.unreadable;
    const line = `${name}: ${seen} of ${progress.total}`;
    if (line !== told) console.error(line);
    told = line;
    if (progress.next === undefined) return { total: seen, resealed, unreadable };
    after = progress.next;
  }
}
