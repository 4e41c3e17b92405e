import { LRUCache } from 'lru-cache';
import type { ResponseOf, accessRequests } from '#libs/contracts';
import { WorkspaceAccess } from './workspace-access.js';

type Restrictions = ResponseOf<typeof accessRequests.listRestrictions>;

/** Who knows what is restricted in a workspace. */
export interface AccessAuthority {
  /** @param knownRevision what the asker has; where it still holds, nothing is listed */
  restrictions(workspaceId: string, knownRevision: number): Promise<Restrictions>;
}

interface Known {
  /** Of all assets, when it was asked for. */
  readonly revision: number;
  readonly accessRevision: number;
  readonly access: WorkspaceAccess;
  readonly askedAtMs: number;
}

const workspacesMax = 1_000;
/** The bound for a copy of a revision that was lost or has fallen back: older than this, nothing kept counts. */
const keptMsMax = 5_000;
/** Whoever has something open is looked after this often. */
const watchedMsMax = 1_500;
/** As long as revocations are believed that cannot be read anew. */
const watchedStaleMsMax = 30_000;

/**
 * What metadata says of who reaches which assets, kept while the revision of the workspace's assets stands: a change counts
 * from the next request on, and within 5 s where its copy is lost. Where metadata cannot be asked, nobody is let in.
 */
export class AccessView {
  private readonly known = new LRUCache<string, Known>({ max: workspacesMax });
  private readonly asking = new Map<string, Promise<Known>>();

  constructor(private readonly authority: AccessAuthority) {}

  /** As it is now. @param copy of the revision of the workspace's assets, as just read; undefined where there is none */
  async current(workspaceId: string, copy: number | undefined): Promise<WorkspaceAccess> {
    const known = this.known.get(workspaceId);
    if (known && known.revision === copy && ageMs(known) <= keptMsMax) return known.access;
    return (await this.ask(workspaceId)).access;
  }

  /**
   * As it was at most two seconds ago, without any message that could be lost, for whoever has something open. While
   * metadata is away nobody can change anything there, so what was known stands for a while.
   */
  async watched(workspaceId: string): Promise<WorkspaceAccess> {
    const known = this.known.get(workspaceId);
    if (known && ageMs(known) <= watchedMsMax) return known.access;
    try {
      return (await this.askTogether(workspaceId)).access;
    } catch (error) {
      if (known && ageMs(known) <= watchedStaleMsMax) return known.access;
      throw error;
    }
  }

  /** Shared by all who look at the same time. No request may share it: its question could be from before the request. */
  private askTogether(workspaceId: string): Promise<Known> {
    const underWay = this.asking.get(workspaceId);
    if (underWay) return underWay;
    const asking = this.ask(workspaceId).finally(() => this.asking.delete(workspaceId));
    this.asking.set(workspaceId, asking);
    return asking;
  }

  private async ask(workspaceId: string): Promise<Known> {
    const askedAtMs = performance.now();
    const before = this.known.get(workspaceId);
    const { revision, accessRevision, restrictions } = await this.authority.restrictions(
      workspaceId,
      before?.accessRevision ?? 0,
    );
    const isSame = before !== undefined && before.accessRevision === accessRevision;
    const access = isSame ? before.access : new WorkspaceAccess(restrictions);
    const asked = { revision, accessRevision, access, askedAtMs };
    const latest = this.known.get(workspaceId);
    if (!latest || latest.askedAtMs <= askedAtMs) this.known.set(workspaceId, asked);
    return asked;
  }
}

function ageMs({ askedAtMs }: Known): number {
  return performance.now() - askedAtMs;
}
