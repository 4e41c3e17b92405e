import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Manifest, StoredPage } from '#libs/contracts';
import { toAppError, toPublicErrorCode, type Clock, type PublicErrorCode } from '#libs/kernel';
import { CLOCK } from '#libs/service';

/** The pages that hold the rows asked for and those behind them, and the manifest as it was then. */
export interface LocatedPages {
  readonly manifest?: Manifest | undefined;
  readonly pages: readonly StoredPage[];
}

const runsMax = 256;
/** Long enough for those who follow a run together. */
const ageMsMax = 5_000;

/**
 * Where the rows of runs lie, asked for once for all who follow a run. Pages are only ever added, so one that was named stays where it is;
 * that a row is not there yet is only as good as the moment it was asked.
 */
@Injectable()
export class PageTables {
  private readonly known: LRUCache<string, LocatedPages>;
  private readonly underWay = new Map<string, Promise<LocatedPages>>();

  constructor(@Inject(CLOCK) private readonly clock: Clock) {
    this.known = new LRUCache({
      max: runsMax,
      ttl: ageMsMax,
      // Otherwise it looks at its own clock, and at that only once in a while.
      perf: { now: () => clock.monotonicMs() },
      ttlResolution: 0,
    });
  }

  /** As of the call or later, as far as `row` is concerned. `ask` is called where nobody else's answer tells that. */
  async locate(run: string, row: number, ask: () => Promise<LocatedPages>): Promise<LocatedPages> {
    const known = this.known.get(run);
    if (known && tells(known, row) && !this.isExpired(known)) return known;
    const place = `${run} ${row}`;
    // It was asked before this call, whose caller may have heard of the row since.
    const earlier = this.underWay.get(place);
    const told = earlier && (await ifAnswered(earlier));
    if (told && tells(told, row)) return told;
    // Whoever has waited for the same may have asked again.
    const later = this.underWay.get(place);
    return (later && (await ifAnswered(later))) ?? this.ask(run, place, ask);
  }

  private async ask(run: string, place: string, ask: () => Promise<LocatedPages>): Promise<LocatedPages> {
    const asking = ask();
    this.underWay.set(place, asking);
    try {
      const located = await asking;
      // Rows that travel in a manifest are kept with it, within a bound of bytes.
      if (!located.manifest?.inline) this.known.set(run, located);
      return located;
    } catch (error) {
      this.known.delete(run);
      throw error;
    } finally {
      if (this.underWay.get(place) === asking) this.underWay.delete(place);
    }
  }

  private isExpired({ manifest }: LocatedPages): boolean {
    return manifest?.expiresAt !== undefined && manifest.expiresAt.getTime() <= this.clock.nowMs();
  }
}

const personal: ReadonlySet<PublicErrorCode> = new Set(['UNAUTHENTICATED', 'FORBIDDEN']);

/** Undefined where somebody's question failed for reasons of their own; what fails for all fails for whoever waits. */
function ifAnswered(asking: Promise<LocatedPages>): Promise<LocatedPages | undefined> {
  return asking.catch((error: unknown) => {
    if (personal.has(toPublicErrorCode(toAppError(error).code))) return undefined;
    throw error;
  });
}

/** Whether it says for good where the row lies, or that there is none. */
function tells({ manifest, pages }: LocatedPages, row: number): boolean {
  if (manifest?.inline || (manifest?.state === 'COMPLETE' && row >= manifest.rowCount)) return true;
  return pages.some(({ firstRow, rowCount }) => firstRow <= row && row < firstRow + rowCount);
}
