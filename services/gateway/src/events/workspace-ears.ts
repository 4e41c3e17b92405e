import { Revision } from './revision.js';

/** One subscriber's ear at a workspace: its revision grows when something has ended there. */
export class WorkspaceEar {
  readonly revision = new Revision();

  constructor(private readonly onClose: (ear: WorkspaceEar) => void) {}

  close(): void {
    this.onClose(this);
  }
}

/** Who listens in which workspace. */
export class WorkspaceEars {
  private readonly ears = new Map<string, Set<WorkspaceEar>>();

  get size(): number {
    let size = 0;
    for (const here of this.ears.values()) size += here.size;
    return size;
  }

  listen(workspaceId: string): WorkspaceEar {
    const here = this.ears.get(workspaceId) ?? new Set();
    this.ears.set(workspaceId, here);
    const ear = new WorkspaceEar((closed) => {
      here.delete(closed);
      if (here.size === 0 && this.ears.get(workspaceId) === here) this.ears.delete(workspaceId);
    });
    here.add(ear);
    return ear;
  }

  wake(workspaceId: string): void {
    for (const ear of this.ears.get(workspaceId) ?? []) ear.revision.raise();
  }

  wakeAll(): void {
    for (const workspaceId of this.ears.keys()) this.wake(workspaceId);
  }
}
