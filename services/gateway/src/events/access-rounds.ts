import type { AccessView, WorkspaceAccess } from '#libs/identity';
import type { AppLogger } from '#libs/telemetry';
import type { WatchedRuns } from './watched-runs.js';

const roundMs = 2_000;

/**
 * Looks every two seconds whether it has changed who reaches what in the workspaces of those who watch: then what they watch
 * is read again, in their own names, and whoever may no longer see it is told no more.
 */
export class AccessRounds {
  private readonly seen = new Map<string, WorkspaceAccess>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly view: Pick<AccessView, 'watched'>,
    private readonly runs: WatchedRuns,
    private readonly logger: Pick<AppLogger, 'warn'>,
  ) {}

  start(): void {
    this.timer = setTimeout(() => void this.round().finally(() => this.timer?.refresh()), roundMs);
    this.timer.unref();
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  async round(): Promise<void> {
    const workspaceIds = this.runs.workspaceIds();
    for (const known of this.seen.keys()) if (!workspaceIds.has(known)) this.seen.delete(known);
    await Promise.all([...workspaceIds].map((id) => this.look(id)));
  }

  private async look(workspaceId: string): Promise<void> {
    try {
      const access = await this.view.watched(workspaceId);
      const before = this.seen.get(workspaceId);
      this.seen.set(workspaceId, access);
      // The first look may come behind a change that came behind the subscriber's own.
      if (before === access || (!before && access.isOpen)) return;
    } catch (err) {
      this.logger.warn({ err, workspaceId }, 'nobody could say who reaches what; everything watched is read again');
    }
    this.runs.doubtWorkspace(workspaceId);
  }
}
