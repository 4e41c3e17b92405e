import { isDeepStrictEqual } from 'node:util';
import type { EntityManager } from 'typeorm';
import { auditRecorded, type AuditEntry } from '#libs/contracts';
import { currentWork, newId, type JsonObject, type WorkActor } from '#libs/kernel';
import { redact } from '#libs/telemetry';
import type { OutboxRepository } from '../outbox/outbox.repository.js';

/** What was done, as the code that does it says. Who did it, from where and for which request is known already. */
export interface AuditRecord {
  readonly workspaceId: string;
  /** `<area>.<past>`, such as `user.created`. */
  readonly action: string;
  readonly target: { readonly type: string; readonly id: string; readonly name?: string | undefined };
  /** Where `after` is there too, only what differs is kept of both. */
  readonly before?: object | undefined;
  readonly after?: object | undefined;
  /** The class of a failure, one word; without it the record is of a success. */
  readonly failure?: string | undefined;
  /** Where the request itself does not tell, as at signing in. */
  readonly actor?: WorkActor | undefined;
}

/** So that one entry stays far below what the bus carries. */
const sideCharactersMax = 16_000;

/**
 * Where a service leaves its entries for the audit log: in the transaction of what they tell of, so that there is one exactly
 * where that was done. The outbox carries them to metadata, which chains them.
 */
export class AuditRepository {
  constructor(
    private readonly outbox: OutboxRepository,
    private readonly service: string,
  ) {}

  /** Adds entries to the transaction of `manager`. All of them are of one workspace. */
  async add(manager: EntityManager, ...records: readonly AuditRecord[]): Promise<void> {
    await this.addEntries(
      manager,
      records.map((record) => this.entryOf(record)),
    );
  }

  /** Adds entries that are made already, as another process sent them. */
  async addEntries(manager: EntityManager, entries: readonly AuditEntry[]): Promise<void> {
    const [first] = entries;
    if (!first) return;
    const { workspaceId, requestId } = first;
    await this.outbox.add(manager, this.contract(), { entries: [...entries] }, { workspaceId, requestId });
  }

  /** The insert of one entry for a statement of the caller's own; see OutboxRepository.insertion. Then `wrote` is to be called. */
  insertion(
    manager: EntityManager,
    record: AuditRecord,
    at: { readonly first: number; readonly each?: string },
  ): { sql: string; parameters: readonly unknown[] } {
    const entry = this.entryOf(record);
    const { workspaceId, requestId } = entry;
    return this.outbox.insertion(manager, this.contract(), { entries: [entry] }, { workspaceId, requestId }, at);
  }

  /** Says that an entry was written, so that it is told soon after the commit. */
  wrote(manager: EntityManager): void {
    this.outbox.wrote(manager);
  }

  private contract(): (typeof auditRecorded)[keyof typeof auditRecorded] {
    const { service } = this;
    if (!isWriter(service)) throw new Error(`${service} has no stream for its audit entries`);
    return auditRecorded[service];
  }

  private entryOf(record: AuditRecord): AuditEntry {
    const work = currentWork();
    const [before, after] = differing(record.before, record.after);
    return {
      id: newId('auditEntry'),
      workspaceId: record.workspaceId,
      occurredAt: new Date(),
      action: record.action,
      actor: record.actor ?? work?.actor ?? { kind: 'SERVICE', id: this.service },
      target: record.target,
      outcome: record.failure === undefined ? 'SUCCESS' : 'FAILURE',
      reason: record.failure,
      clientAddress: work?.clientAddress,
      userAgent: work?.userAgent,
      requestId: work?.requestId ?? newId('request'),
      before: withoutSecrets(before),
      after: withoutSecrets(after),
      service: this.service,
    };
  }
}

function isWriter(service: string): service is keyof typeof auditRecorded {
  return Object.hasOwn(auditRecorded, service);
}

/** As JSON has them; of two only the members that are not equal. */
function differing(before?: object, after?: object): readonly [JsonObject | undefined, JsonObject | undefined] {
  const [one, other] = [asJson(before), asJson(after)];
  if (!one || !other) return [one, other];
  const changed = [...new Set([...Object.keys(one), ...Object.keys(other)])].filter(
    (name) => !isDeepStrictEqual(one[name], other[name]),
  );
  return [pick(one, changed), pick(other, changed)];
}

function pick(from: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(names.flatMap((name) => (name in from ? [[name, from[name] ?? null]] : [])));
}

function asJson(value: object | undefined): JsonObject | undefined {
  // What JSON.stringify makes of an object is one.
  return value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as JsonObject);
}

function withoutSecrets(side: JsonObject | undefined): JsonObject | undefined {
  if (!side) return undefined;
  // A copy of a JSON object is one.
  const safe = redact(side) as JsonObject;
  const { length } = JSON.stringify(safe);
  return length <= sideCharactersMax ? safe : { omittedCharacters: length, members: Object.keys(safe) };
}
