export interface CheckOutcome {
  ok: boolean;
  /** Why not; for operators. */
  reason?: string;
}

export interface Readiness {
  ok: boolean;
  checks: Readonly<Record<string, CheckOutcome>>;
}

const checkTimeoutMs = 2_000;
/** A probe asked many times a second must not become a load of its own. */
const maxAgeMs = 1_000;

/** What this process needs in order to serve: its real dependencies, each asked for real. */
export class HealthRegistry {
  private readonly checks = new Map<string, () => Promise<void>>();
  private latest: { at: number; readiness: Promise<Readiness> } | undefined;
  private isDraining = false;

  /** `check` rejects where the dependency cannot be used; it has two seconds. */
  register(name: string, check: () => Promise<void>): void {
    this.checks.set(name, check);
  }

  /** From now on the process is not ready, so that nothing new is sent to it. */
  startDraining(): void {
    this.isDraining = true;
  }

  async readiness(): Promise<Readiness> {
    if (this.isDraining) return { ok: false, checks: { draining: { ok: false, reason: 'the process is stopping' } } };
    if (!this.latest || performance.now() - this.latest.at > maxAgeMs) {
      this.latest = { at: performance.now(), readiness: this.askAll() };
    }
    return this.latest.readiness;
  }

  private async askAll(): Promise<Readiness> {
    const outcomes = await Promise.all(
      [...this.checks].map(async ([name, check]) => [name, await outcomeOf(check)] as const),
    );
    return { ok: outcomes.every(([, outcome]) => outcome.ok), checks: Object.fromEntries(outcomes) };
  }
}

async function outcomeOf(check: () => Promise<void>): Promise<CheckOutcome> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${checkTimeoutMs} ms`)), checkTimeoutMs);
  });
  try {
    await Promise.race([check(), timeout]);
    return { ok: true };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}
