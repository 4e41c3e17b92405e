import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { MessageContext } from '#libs/bus';
import type { SourceConnection } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import type { Clock } from '#libs/kernel';
import { CLOCK } from '#libs/service';
import { SourcePolicies, sqlDialectOf } from '#libs/sql';
import type { GoverningPolicies } from '../plan/query-plan.js';
import { MetadataClient } from '../source/metadata.client.js';
import { CallerMemory } from './caller.memory.js';
import { MaskKeys } from './mask-keys.js';
import { sessionIdentity, sessionSettingsOf, type SessionIdentity } from './session-identity.js';

/** One may hold the columns of 20,000 names, with what was parsed of its policies. */
const sourcesMax = 100;
/** Data in memory has a maximum age: what a fingerprint does not tell of is seen after this at the latest. */
const ageMsMax = 5 * 60_000;

interface Governed {
  readonly source: SourceConnection;
  readonly policiesFingerprint: string | undefined;
}

interface Asked {
  readonly policies: SourcePolicies;
  readonly fingerprint: string | undefined;
}

/** The row policies of sources, kept for as long as their fingerprint stands, and what their sessions say of who asks. */
@Injectable()
export class PolicyService {
  private readonly known: LRUCache<string, Promise<SourcePolicies>>;

  constructor(
    private readonly metadata: MetadataClient,
    private readonly callers: CallerMemory,
    private readonly maskKeys: MaskKeys,
    @Inject(CLOCK) clock: Clock,
  ) {
    this.known = new LRUCache({
      max: sourcesMax,
      ttl: ageMsMax,
      // Otherwise it looks at its own clock, and at that only once in a while.
      perf: { now: () => clock.monotonicMs() },
      ttlResolution: 0,
    });
  }

  /** Undefined where the source has none. Where they cannot be had, nothing is answered. */
  async of(
    { source, policiesFingerprint }: Governed,
    principal: Principal,
    context: MessageContext,
    signal: AbortSignal,
  ): Promise<GoverningPolicies | undefined> {
    if (policiesFingerprint === undefined) return undefined;
    const [policies, caller] = await Promise.all([
      this.policiesOf(source, policiesFingerprint, context.requestId),
      this.callers.get(principal, context, signal),
    ]);
    return { policies, caller };
  }

  /** What the source's sessions say of the caller; undefined where they say nothing of anybody. */
  async sessionOf(
    source: SourceConnection,
    principal: Principal,
    context: MessageContext,
    signal: AbortSignal,
  ): Promise<SessionIdentity | undefined> {
    const wanted = sessionSettingsOf(source);
    return wanted && sessionIdentity(wanted, await this.callers.get(principal, context, signal));
  }

  /**
   * Asked for once by all who want them at the same time, and kept where they are those of the fingerprint. Policies that
   * were changed on the way are newer ones: they hold for whoever has asked, but the fingerprint may come back without them.
   */
  private policiesOf(source: SourceConnection, fingerprint: string, requestId: string): Promise<SourcePolicies> {
    const key = `${source.id} ${fingerprint}`;
    const known = this.known.get(key);
    if (known) return known;
    const answer = this.ask(source, requestId);
    const asked = answer.then(({ policies }) => policies);
    this.known.set(key, asked);
    const forget = (): void => {
      if (this.known.peek(key) === asked) this.known.delete(key);
    };
    answer.then((told) => (told.fingerprint === fingerprint ? undefined : forget()), forget);
    return asked;
  }

  private async ask({ id, workspaceId, type }: SourceConnection, requestId: string): Promise<Asked> {
    const dialect = sqlDialectOf(type);
    if (!dialect) throw new Error(`no dialect is known for sources of type ${type}`);
    const answer = await this.metadata.getSourcePolicies(id, workspaceId, requestId);
    const { tables, searchPath, catalog } = answer;
    const policies = answer.rowPolicies.map(({ table = null, key = null, ...policy }) => ({ ...policy, table, key }));
    const hasHash = policies.some(({ masks }) => masks.some(({ kind }) => kind === 'HASH'));
    const maskKey = hasHash ? await this.maskKeys.get(workspaceId) : '';
    const options = { dialect, policies, tables, searchPath, catalog, maskKey };
    return { policies: new SourcePolicies(options), fingerprint: answer.fingerprint };
  }
}
