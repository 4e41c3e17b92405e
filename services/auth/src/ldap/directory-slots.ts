import { AppError } from '#libs/kernel';
import { Slots } from '../password/slots.js';

const ofAll = { running: 50, waiting: 200 } as const;
const ofOne = { running: 5, waiting: 50 } as const;

interface Own {
  readonly slots: Slots;
  /** Who runs or waits. */
  inside: number;
}

/** Bounds how many ask directories at once, of all workspaces together and of each: slow ones of one leave room to the others. */
export class DirectorySlots {
  private readonly common = new Slots(ofAll.running, ofAll.waiting, tooMany);
  private readonly byWorkspace = new Map<string, Own>();

  /** @throws AppError `auth.throttled` */
  async run<T>(workspace: string, work: () => Promise<T>): Promise<T> {
    const own = this.byWorkspace.get(workspace) ?? {
      slots: new Slots(ofOne.running, ofOne.waiting, tooMany),
      inside: 0,
    };
    this.byWorkspace.set(workspace, own);
    own.inside += 1;
    try {
      return await own.slots.run(() => this.common.run(work));
    } finally {
      own.inside -= 1;
      if (own.inside === 0) this.byWorkspace.delete(workspace);
    }
  }
}

function tooMany(): AppError {
  return new AppError('auth.throttled', 'Too many are signing in at this moment. Try again soon.', {
    retryable: true,
    retryAfterSeconds: 2,
  });
}
