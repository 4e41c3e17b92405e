import { compareIds } from './stream-entry.js';
import type { StreamState } from './stream-state.js';

/** `begun`: the place is found now. `whole`: all up to here was heard. `gap`: something was not. */
export type Comparison = 'begun' | 'whole' | 'gap';

const beginning = '0-0';

/** A group-less reader's place in a stream, and what tells it that it has missed something. */
export class StreamPosition {
  private position: string | undefined;
  /** How many entries the stream had ever been given when the place was found, and how many were heard since. */
  private addedBefore = 0;
  private heard = 0;

  /** The entry to read on from. */
  get id(): string {
    return this.position ?? beginning;
  }

  advance(id: string): void {
    this.position = id;
    this.heard += 1;
  }

  /** After a gap the place is a new one: the end of the stream as it is, or the beginning of one that began anew. */
  compare(state: StreamState): Comparison {
    if (this.position === undefined) {
      this.restart(state, state.lastId);
      return 'begun';
    }
    if (!this.hasGap(state)) return 'whole';
    this.restart(state, compareIds(state.lastId, this.position) < 0 ? beginning : state.lastId);
    return 'gap';
  }

  private hasGap({ lastId, firstId, entriesAdded }: StreamState): boolean {
    const behind = compareIds(lastId, this.id);
    // Its ids went back: lost, or begun anew by a slower clock.
    if (behind < 0) return true;
    // Trimmed beyond our place while there is something that we have not read.
    if (behind > 0 && firstId !== undefined && compareIds(firstId, this.id) > 0 && this.id !== beginning) return true;
    if (entriesAdded === undefined) return false;
    const expected = this.addedBefore + this.heard;
    // At the end of the stream the counts agree, or it is another stream; before the end it can only have been given more.
    return behind === 0 ? entriesAdded !== expected : entriesAdded < expected;
  }

  private restart({ entriesAdded = 0, lastId }: StreamState, at: string): void {
    this.position = at;
    this.heard = 0;
    // What a stream that began anew already holds is still to be heard.
    this.addedBefore = at === lastId ? entriesAdded : 0;
  }
}
