import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { toolCache } from './tool-cache.ts';

/** One proof about files under deploy/, by the program that will read them in earnest wherever there is one. */
export interface DeployCheck {
  /** What holds when it passes; unique in the table. */
  readonly name: string;
  /** Programs that it needs. Where one is missing the check is not made, and that is said. */
  readonly tools: readonly string[];
  /** Resolves to a few words for whoever reads the list; rejects with what is wrong. */
  readonly run: () => Promise<string>;
}

/** Debian keeps servers where only root's path leads. */
const alsoIn = ['/usr/local/sbin', '/usr/sbin', '/sbin', toolCache];

/** Where a program lies, or undefined. */
export function findTool(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...alsoIn];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Runs a program to its end and resolves to what it wrote; rejects with both outputs where it fails. */
export function runTool(name: string, args: readonly string[], options: { cwd?: string } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const limits = { maxBuffer: 64 * 1024 * 1024, timeout: 120_000 };
    execFile(findTool(name) ?? name, args, { ...options, ...limits }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${name} ${args.join(' ')}\n${stdout}${stderr}`.trimEnd(), { cause: error }));
    });
  });
}
