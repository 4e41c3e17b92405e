import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';

export interface ChildOptions {
  name: string;
  command: string;
  args: readonly string[];
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** Whom it runs as; without them, whoever started the launcher. */
  uid?: number;
  gid?: number;
  /** How it is asked to end; SIGTERM by default. */
  stopSignal?: NodeJS.Signals;
  logFile: string;
}

/** One process of the installation, in a group of its own so that Ctrl-C reaches the launcher alone, its output in a file. */
export class Child {
  readonly name: string;
  private readonly options: ChildOptions;
  private process: ChildProcess | undefined;
  private exit: Promise<void> = Promise.resolve();
  private stopping = false;
  private onCrash: ((reason: string) => void) | undefined;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.options = options;
  }

  get pid(): number {
    const pid = this.process?.pid;
    if (pid === undefined) throw new Error(`${this.name} is not running`);
    return pid;
  }

  get stopSignal(): NodeJS.Signals {
    return this.options.stopSignal ?? 'SIGTERM';
  }

  get isRunning(): boolean {
    return this.process !== undefined;
  }

  /** Calls `crashed` when the process ends by itself. */
  whenCrashed(crashed: (reason: string) => void): void {
    this.onCrash = crashed;
  }

  start(): void {
    this.stopping = false;
    const log = openSync(this.options.logFile, 'a');
    const child = spawn(this.options.command, this.options.args, {
      cwd: this.options.cwd,
      uid: this.options.uid,
      gid: this.options.gid,
      // The launcher's cache is not for others: code that is kept compiled takes more memory.
      env: { ...process.env, NODE_COMPILE_CACHE: undefined, ...this.options.env },
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    this.process = child;
    this.exit = new Promise((resolve) => {
      const ended = (reason: string): void => {
        if (this.process === child) this.process = undefined;
        resolve();
        if (!this.stopping) this.onCrash?.(reason);
      };
      child.once('error', (error) => ended(error.message));
      child.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`));
    });
  }

  /** Asks it to end and waits; after `graceMs` it is killed. */
  async stop(graceMs = 30_000): Promise<void> {
    this.stopping = true;
    const child = this.process;
    if (!child) return;
    child.kill(this.stopSignal);
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await this.exit;
    clearTimeout(timer);
  }

  /** SIGKILL, and no restart. */
  async kill(): Promise<void> {
    this.stopping = true;
    this.process?.kill('SIGKILL');
    await this.exit;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }
}
