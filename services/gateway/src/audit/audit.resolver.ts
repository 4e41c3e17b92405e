import { Query, ResolveField, Resolver } from '@nestjs/graphql';
import { auditRequests, type AuditEntry, type AuditFault, type ChainedAuditEntry, type User } from '#libs/contracts';
import { pageArgs, toConnection, type Connection, type ListArgs } from '../common/pages.js';
import type { RequestContext } from '../request/request-context.js';
import { toAuditFilter, type AuditFilterArgs } from './audit-filter.js';

/** How long a chain is checked for, before the caller is told to go on from where that came to. */
const verifyMs = 20_000;

interface Verification {
  readonly intact: boolean;
  readonly fault: AuditFault | undefined;
  readonly checkedCount: number;
  readonly verifiedTo: number;
  readonly anchor: { readonly sequence: number; readonly hash: string };
  readonly last: { readonly sequence: number; readonly hash: string };
  readonly retentionDays: number | undefined;
}

type FlatEntry = AuditEntry & Omit<ChainedAuditEntry, 'entry'>;

@Resolver('AuditActor')
export class AuditResolver {
  @Query('auditEntries')
  async auditEntries(
    _root: unknown,
    args: ListArgs & { readonly filter?: AuditFilterArgs | null },
    context: RequestContext,
  ): Promise<Connection<FlatEntry>> {
    const request = { page: pageArgs(args), filter: toAuditFilter(args.filter) };
    const answer = await context.ask(auditRequests.listAuditEntries, request);
    return toConnection(answer.entries.map(flat), answer);
  }

  @Query('auditVerification')
  async auditVerification(
    _root: unknown,
    { after }: { readonly after: number },
    context: RequestContext,
  ): Promise<Verification> {
    const request = { afterSequence: Math.max(0, after) };
    const answer = await context.ask(auditRequests.verifyAuditChain, request, { ttlMs: verifyMs });
    const { fault, checked, verifiedTo, anchorSequence, anchorHash, lastSequence, lastHash, retentionDays } = answer;
    return {
      intact: fault === undefined && verifiedTo >= lastSequence,
      fault,
      checkedCount: checked,
      verifiedTo,
      anchor: { sequence: anchorSequence, hash: anchorHash },
      last: { sequence: lastSequence, hash: lastHash },
      retentionDays,
    };
  }

  @ResolveField('user')
  user(
    { kind, id }: NonNullable<AuditEntry['actor']>,
    _args: unknown,
    context: RequestContext,
  ): Promise<User | null> | null {
    return kind === 'USER' ? context.loaders.users.load(id) : null;
  }
}

function flat({ entry, ...place }: ChainedAuditEntry): FlatEntry {
  if (!entry) throw new Error('an entry of the audit log is empty');
  return { ...entry, ...place };
}
