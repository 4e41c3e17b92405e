import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';

/** Numbers in memory, of all downloads together. */
const placesMax = 500_000;

/** Where the parts of a text file end, as far as it has been written once: the line of names, each page, the end. */
export type PartEnds = number[];

/** Remembers the lengths of what was sent, so that whoever resumes need not wait for all of it to be written again. */
@Injectable()
export class BytePlaces {
  private readonly known = new LRUCache<string, PartEnds>({ maxSize: placesMax });

  /** Of the file with this tag; the tag stands for every byte of it. */
  of(tag: string, partCount: number): PartEnds {
    const found = this.known.get(tag);
    if (found) return found;
    const ends: PartEnds = [];
    this.known.set(tag, ends, { size: partCount });
    return ends;
  }
}
