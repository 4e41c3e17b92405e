import { closeSync, createReadStream, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Operation } from './operation.ts';

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** An operation before it has a time and a process. */
export type Note = Without<Operation, 'atMs' | 'process'>;
/** Writes down what one process does. */
export type Recorder = (note: Note) => void;

const flushBytes = 64 * 1_024;

/** The history of one trial, in one file. Lines are in the order in which they happened, as one process writes them all. */
export class HistoryFile {
  readonly path: string;
  private readonly file: number;
  private pending = '';

  constructor(path: string) {
    this.path = path;
    mkdirSync(dirname(path), { recursive: true });
    this.file = openSync(path, 'w');
  }

  recorderOf(process: string): Recorder {
    return (note) => {
      this.pending += `${JSON.stringify({ atMs: Date.now(), process, ...note })}\n`;
      if (this.pending.length > flushBytes) this.flush();
    };
  }

  close(): void {
    this.flush();
    closeSync(this.file);
  }

  private flush(): void {
    writeSync(this.file, this.pending);
    this.pending = '';
  }
}

/** The lines of a history, one by one: a long trial has more of them than should be in memory. */
export async function* readHistory(path: string): AsyncGenerator<Operation> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity });
  // Nobody but HistoryFile writes these files.
  for await (const line of lines) if (line !== '') yield JSON.parse(line) as Operation;
}
