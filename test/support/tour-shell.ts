import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '#libs/testing';
import type { TourBlock } from './readme-blocks.js';

export interface TourOutcome {
  exitCode: number;
  output: string;
}

/**
 * One bash for all blocks, as a reader has one terminal: what a block sets, later ones have. A JavaScript block becomes a
 * module in the same folder. The first command that fails ends its block and, as it would leave the rest without what it
 * should have set, the shell.
 */
export class TourShell {
  private readonly shell: ChildProcessWithoutNullStreams;
  private output = '';
  private exitCode: number | undefined;
  private count = 0;

  constructor(private readonly folder: string) {
    this.shell = spawn('bash', ['--norc', '--noprofile'], { cwd: folder });
    for (const stream of [this.shell.stdout, this.shell.stderr]) {
      stream.on('data', (data: Buffer) => (this.output += data.toString()));
    }
    this.shell.on('close', (code) => (this.exitCode = code ?? 1));
    this.shell.stdin.on('error', () => undefined);
    this.shell.stdin.write('set -euo pipefail\n');
  }

  async run({ language, code }: TourBlock): Promise<TourOutcome> {
    this.count += 1;
    const file = join(this.folder, `block-${this.count}.${language === 'js' ? 'mjs' : 'sh'}`);
    writeFileSync(file, code);
    const done = `done-${randomUUID()}`;
    this.output = '';
    const command = language === 'js' ? `'${process.execPath}' '${file}'` : `source '${file}'`;
    this.shell.stdin.write(`${command} </dev/null\necho ${done}\n`);
    await until(() => this.output.includes(done) || this.exitCode !== undefined, {
      timeoutMs: 50_000,
      what: `the end of the block (so far: ${this.output})`,
    });
    return { exitCode: this.exitCode ?? 0, output: this.output.replace(`${done}\n`, '') };
  }

  end(): void {
    this.shell.kill();
  }
}
