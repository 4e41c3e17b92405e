import type { PriorityClass } from '../run/run.types.js';

/** The runs of one user at one source in one class that hold a slot. */
export interface ActiveRuns {
  readonly workspaceId: string;
  readonly userId: string;
  readonly sourceId: string;
  readonly class: PriorityClass;
  readonly count: number;
}

/** One user's waiting runs at one source in one class. */
export interface Lane {
  readonly workspaceId: string;
  readonly userId: string;
  readonly sourceId: string;
  readonly class: PriorityClass;
  readonly queued: number;
  /** Since its last turn, or since it began to wait. */
  readonly waitedSeconds: number;
  readonly sourceRunsMax: number;
}

export interface PoolState {
  readonly slots: number;
  readonly active: readonly ActiveRuns[];
  /** Runs that hold slots of other workers, which these lanes cannot have: they count in limits and not in turns. */
  readonly elsewhere?: readonly ActiveRuns[];
  readonly lanes: readonly Lane[];
  /** Workspaces that have asked of late; two are enough to know whether one is alone. */
  readonly present: readonly string[];
}

export interface FairRules {
  readonly workspaceSharePercent: number;
  readonly scheduledSharePercent: number;
  readonly workspaceRunsMax: number;
  readonly promoteSeconds: number;
}

/**
 * The whole policy of fairness: the lanes that have the next turns, at most `limit`, in their order.
 *
 * First comes the workspace that holds the fewest slots, then the user who does, then the more urgent class, then whoever
 * has waited longest for a turn. A lane that has waited for `promoteSeconds` counts as one class more urgent, and
 * again with each further such time, so that none starves. No turn goes beyond the limit of the source, of the
 * workspace, of its share where it is not alone, or of SCHEDULED, as which a promoted lane still counts.
 */
export function chooseTurns(state: PoolState, rules: FairRules, limit: number): Lane[] {
  const taken = new Taken(state.active);
  const everywhere = new Taken([...state.active, ...(state.elsewhere ?? [])]);
  const limits = limitsOf(state, rules);
  const candidates = state.lanes.map((lane) => ({
    lane,
    left: lane.queued,
    urgency: urgencyOf(lane, rules),
    order: -lane.waitedSeconds,
  }));
  const turns: Lane[] = [];
  const turnsMax = Math.min(limit, state.slots - taken.total);
  while (turns.length < turnsMax) {
    const next = candidates
      .filter(({ lane, left }) => left > 0 && isWithin(lane, taken, everywhere, limits))
      .reduce<Candidate | undefined>(
        (first, each) => (first && !comesBefore(each, first, taken) ? first : each),
        undefined,
      );
    if (!next) break;
    turns.push(next.lane);
    taken.add(next.lane, 1);
    everywhere.add(next.lane, 1);
    next.left -= 1;
    next.urgency = next.lane.class;
    next.order = turns.length;
  }
  return turns;
}

/** The most slots that a share of them comes to; never none. */
export function shareOf(slots: number, percent: number): number {
  return Math.max(1, Math.floor((slots * percent) / 100));
}

interface Candidate {
  readonly lane: Lane;
  left: number;
  urgency: number;
  order: number;
}

function comesBefore(one: Candidate, other: Candidate, taken: Taken): boolean {
  const difference =
    taken.ofWorkspace(one.lane) - taken.ofWorkspace(other.lane) ||
    taken.ofUser(one.lane) - taken.ofUser(other.lane) ||
    one.urgency - other.urgency ||
    one.order - other.order;
  return difference < 0;
}

function urgencyOf(lane: Lane, { promoteSeconds }: FairRules): number {
  return Math.max(1, lane.class - Math.floor(lane.waitedSeconds / promoteSeconds));
}

interface TurnLimits {
  readonly workspace: (workspaceId: string) => number;
  readonly workspaceRunsMax: number;
  readonly scheduled: number;
}

function limitsOf({ slots, active, lanes, present }: PoolState, rules: FairRules): TurnLimits {
  const workspaces = new Set([...present, ...[...active, ...lanes].map(({ workspaceId }) => workspaceId)]);
  const share = shareOf(slots, rules.workspaceSharePercent);
  return {
    workspace: (workspaceId) => (workspaces.size > (workspaces.has(workspaceId) ? 1 : 0) ? share : slots),
    workspaceRunsMax: rules.workspaceRunsMax,
    scheduled: shareOf(slots, rules.scheduledSharePercent),
  };
}

function isWithin(lane: Lane, taken: Taken, everywhere: Taken, limits: TurnLimits): boolean {
  return (
    everywhere.ofSource(lane) < lane.sourceRunsMax &&
    everywhere.ofWorkspace(lane) < limits.workspaceRunsMax &&
    taken.ofWorkspace(lane) < limits.workspace(lane.workspaceId) &&
    (lane.class < 3 || taken.scheduled < limits.scheduled)
  );
}

type Holder = Pick<ActiveRuns, 'workspaceId' | 'userId' | 'sourceId' | 'class'>;

/** Who holds how many slots. */
class Taken {
  total = 0;
  scheduled = 0;
  private readonly counts = new Map<string, number>();

  constructor(active: readonly ActiveRuns[]) {
    for (const each of active) this.add(each, each.count);
  }

  add(holder: Holder, count: number): void {
    this.total += count;
    if (holder.class === 3) this.scheduled += count;
    for (const key of [workspaceKey(holder), userKey(holder), sourceKey(holder)]) {
      this.counts.set(key, (this.counts.get(key) ?? 0) + count);
    }
  }

  ofWorkspace(holder: Holder): number {
    return this.counts.get(workspaceKey(holder)) ?? 0;
  }

  ofUser(holder: Holder): number {
    return this.counts.get(userKey(holder)) ?? 0;
  }

  ofSource(holder: Holder): number {
    return this.counts.get(sourceKey(holder)) ?? 0;
  }
}

const workspaceKey = ({ workspaceId }: Holder): string => workspaceId;
const userKey = ({ workspaceId, userId }: Holder): string => `${workspaceId}/${userId}`;
const sourceKey = ({ sourceId }: Holder): string => `source/${sourceId}`;
