import { readFileSync } from 'node:fs';

export interface MemoryOf {
  readonly name: string;
  /** Means of the first and the last quarter of what was seen. */
  readonly firstMb: number;
  readonly lastMb: number;
  readonly peakMb: number;
}

/** Watches the resident memory of processes of this machine. */
export class ProcessWatch {
  private readonly seen = new Map<string, number[]>();
  private readonly processes: Readonly<Record<string, number>>;
  private timer: NodeJS.Timeout | undefined;

  constructor(processes: Readonly<Record<string, number>>) {
    this.processes = processes;
  }

  start(everyMs = 2_000): void {
    this.timer = setInterval(() => this.look(), everyMs);
  }

  stop(): MemoryOf[] {
    clearInterval(this.timer);
    return [...this.seen].map(([name, values]) => {
      const quarter = Math.max(1, Math.floor(values.length / 4));
      return {
        name,
        firstMb: mean(values.slice(0, quarter)),
        lastMb: mean(values.slice(-quarter)),
        peakMb: Math.max(...values),
      };
    });
  }

  private look(): void {
    for (const [name, pid] of Object.entries(this.processes)) {
      const megabytes = residentMb(pid);
      if (megabytes > 0) this.seen.set(name, [...(this.seen.get(name) ?? []), megabytes]);
    }
  }
}

/** 0 where the process has ended, or on systems without /proc. */
function residentMb(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
