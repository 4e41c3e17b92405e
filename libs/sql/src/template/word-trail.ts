interface Word {
  readonly text: string;
  /** Its place among the statement's tokens. */
  readonly start: number;
  /** A dot stands in front of it, so it names something else than a type of the dialect. */
  readonly isQualified: boolean;
}

/** `timestamp with time zone` has the most. */
const wordsMax = 4;

/** The words in front of a place that have nothing between them but space. */
export class WordTrail {
  private words: Word[] = [];
  private isBehindDot = false;

  addName(text: string, start: number): void {
    this.words.push({ text: text.toLowerCase(), start, isQualified: this.isBehindDot });
    if (this.words.length > wordsMax) this.words.shift();
    this.isBehindDot = false;
  }

  addOther(token: string): void {
    if (token.trim() === '') return;
    this.words = [];
    this.isBehindDot = token.endsWith('.');
  }

  clear(): void {
    this.addOther(';');
  }

  /** The words that begin before a place, in their order. */
  before(place: number): readonly Word[] {
    return this.words.filter(({ start }) => start < place);
  }
}

/** Types whose name may stand in front of a string, `date '2026-11-21'`; in front of a placeholder it may not. */
const literalTypes: ReadonlySet<string> = new Set([
  ...['date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval', 'uuid', 'json', 'jsonb', 'numeric', 'inet'],
  ...['timestamp with time zone', 'timestamp without time zone', 'time with time zone', 'time without time zone'],
]);

/** The type that the last words name, the longest first, and where its name begins. */
export function precedingType(words: readonly Word[]): { name: string; start: number } | undefined {
  for (let first = 0; first < words.length; first += 1) {
    const [word] = words.slice(first);
    const name = words
      .slice(first)
      .map(({ text }) => text)
      .join(' ');
    if (word && !word.isQualified && literalTypes.has(name)) return { name, start: word.start };
  }
  return undefined;
}
