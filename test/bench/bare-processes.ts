import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./bare-process.mjs', import.meta.url));

/** As many processes as there are services, with the packages loaded that all of them need, and no service in them. */
export class BareProcesses {
  readonly readySeconds: number;
  private readonly children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[], readySeconds: number) {
    this.children = children;
    this.readySeconds = readySeconds;
  }

  static async start(count = 6): Promise<BareProcesses> {
    const begun = performance.now();
    const children = Array.from({ length: count }, () =>
      spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    await Promise.all(children.map((child) => once(child.stdout, 'data')));
    return new BareProcesses(children, (performance.now() - begun) / 1_000);
  }

  get pids(): number[] {
    return this.children.flatMap(({ pid }) => pid ?? []);
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.children.map(async (child) => {
        const exit = once(child, 'exit');
        child.stdin?.end();
        await exit;
      }),
    );
  }
}
