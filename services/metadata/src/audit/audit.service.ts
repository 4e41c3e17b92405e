import { Injectable } from '@nestjs/common';
import type { AuditEntry, AuditFilter, auditRequests, RequestOf, ResponseOf } from '#libs/contracts';
import { AuditRepository, parsePage, toPage } from '#libs/database';
import { AppError, type JsonObject } from '#libs/kernel';
import type { Caller } from '../caller.js';
import { Issues } from '../input/issues.js';
import { checkSearchText } from '../input/text.js';
import { entryOf, lineOf } from './audit-body.js';
import { AuditChainRepository } from './audit-chain.repository.js';
import { AuditEntryRepository } from './audit-entry.repository.js';
import { AuditWriterRepository } from './audit-writer.repository.js';

type Requests = typeof auditRequests;

const retentionDaysMin = 30;
const retentionDaysMax = 36_500;
const exported = { count: 1_000, charactersMax: 256_000 };
const checkedAtOnce = 20_000;
/** For the answer, behind the last part that is checked. */
const answerMs = 2_000;

/** The audit log of a workspace, for those who may read it. */
@Injectable()
export class AuditService {
  constructor(
    private readonly entries: AuditEntryRepository,
    private readonly chains: AuditChainRepository,
    private readonly writer: AuditWriterRepository,
    private readonly audit: AuditRepository,
  ) {}

  record(key: string, entries: readonly AuditEntry[]): Promise<void> {
    return this.writer.once(key, entries);
  }

  /** Newest first. */
  async list(
    input: RequestOf<Requests['listAuditEntries']>,
    { workspaceId }: Caller,
  ): Promise<ResponseOf<Requests['listAuditEntries']>> {
    const filter = checkedFilter(input.filter);
    const scope = { workspaceId, ...(JSON.parse(JSON.stringify(filter)) as JsonObject) };
    const page = parsePage(input.page, 'auditEntries', scope, ['number']);
    const found = await this.entries.list(workspaceId, filter, page);
    const { rows, cursors, pageInfo } = toPage(found, page, ({ sequence }) => [sequence]);
    const entries = rows.map(({ sequence, previousHash, hash, body }) => ({
      entry: entryOf(body),
      sequence,
      previousHash: previousHash.toString('hex'),
      hash: hash.toString('hex'),
    }));
    return { entries, cursors, pageInfo };
  }

  async export(
    input: RequestOf<Requests['exportAuditEntries']>,
    { workspaceId }: Caller,
  ): Promise<ResponseOf<Requests['exportAuditEntries']>> {
    const filter = checkedFilter(input.filter);
    if (input.begins) {
      const target = { type: 'audit_log', id: workspaceId };
      await this.writer.run((manager) =>
        this.audit.add(manager, { action: 'audit_log.exported', workspaceId, target, after: { filter } }),
      );
    }
    const page = await this.entries.after(workspaceId, filter, input.afterSequence, exported);
    const lastSequence = page.at(-1)?.sequence ?? input.afterSequence;
    return { lines: page.map(lineOf).join(''), lastSequence, hasMore: page.length > 0 };
  }

  /** Checks as much of the chain as there is time for. */
  async verify(afterSequence: number, caller: Caller): Promise<ResponseOf<Requests['verifyAuditChain']>> {
    const { workspaceId } = caller;
    const { anchor, last, retentionDays } = await this.chains.state(workspaceId);
    const begin = afterSequence > anchor.sequence ? await this.chains.place(workspaceId, afterSequence) : anchor;
    if (!begin) throw new AppError('input.invalid', 'There is no such entry.', { path: ['after'] });
    let [end, checked] = [begin, 0];
    let fault: ResponseOf<Requests['verifyAuditChain']>['fault'];
    while (!fault && end.sequence < last.sequence && caller.remainingMs() > answerMs) {
      const part = await this.chains.check(workspaceId, end, checkedAtOnce);
      checked += part.checked;
      fault = part.fault;
      // Nothing is left, though the chain says that there is.
      if (!fault && part.checked === 0) fault = { kind: 'CUT', sequence: end.sequence + 1 };
      end = part.end;
    }
    if (!fault && end.sequence === last.sequence && !end.hash.equals(last.hash)) {
      fault = { kind: 'CUT', sequence: end.sequence };
    }
    return {
      checked,
      fault,
      retentionDays,
      anchorSequence: anchor.sequence,
      anchorHash: anchor.hash.toString('hex'),
      lastSequence: last.sequence,
      lastHash: last.hash.toString('hex'),
      verifiedTo: end.sequence,
    };
  }

  /** Undefined where entries are kept for ever. */
  async retentionDays({ workspaceId }: Caller): Promise<number | undefined> {
    return (await this.chains.state(workspaceId)).retentionDays;
  }

  async setRetention(days: number | undefined, { workspaceId }: Caller): Promise<void> {
    if (days !== undefined && !(days >= retentionDaysMin && days <= retentionDaysMax)) {
      throw new AppError('input.invalid', `It must be from ${retentionDaysMin} to ${retentionDaysMax} days.`, {
        path: ['retentionDays'],
      });
    }
    await this.writer.run(async (manager) => {
      const before = await this.chains.setRetention(manager, workspaceId, days);
      await this.audit.add(manager, {
        action: 'audit_log.retention_changed',
        workspaceId,
        target: { type: 'audit_log', id: workspaceId },
        before: { retentionDays: before ?? null },
        after: { retentionDays: days ?? null },
      });
    });
  }
}

function checkedFilter(filter: AuditFilter | undefined): AuditFilter {
  const issues = new Issues();
  const search = checkSearchText(filter?.search, issues);
  for (const field of ['actorId', 'action', 'targetType', 'targetId'] as const) {
    if ((filter?.[field]?.length ?? 0) > 200) issues.add([field], `${field} must have at most 200 characters.`);
  }
  issues.throwIfAny();
  return { ...filter, search };
}
