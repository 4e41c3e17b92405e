import { Injectable } from '@nestjs/common';
import { AppError } from '#libs/kernel';
import type { PolicyTrial } from '#libs/sql';
import { AppLogger } from '#libs/telemetry';
import type { Caller } from '../caller.js';
import type { DataSourceEntity } from '../data-source/data-source.entity.js';
import { toConnection } from '../data-source/to-data-source.js';
import { WorkerClient } from '../source-schema/worker.client.js';

/** Tries policies at their sources before they are saved, for those who may change both. */
@Injectable()
export class PolicyTrialService {
  constructor(
    private readonly worker: WorkerClient,
    private readonly logger: AppLogger,
  ) {}

  /**
   * The answer is why the source did not tell, in words for the author; undefined: it could compute the policy. A policy that
   * was not tried hides rows until it is right, and one that was not saved shows them.
   * @throws AppError `sql.rejected` in the source's words, at the part that it refuses
   */
  async attempt(trials: readonly PolicyTrial[], source: DataSourceEntity, caller: Caller): Promise<string | undefined> {
    if (source.paused) return untried('The data source is paused.');
    // Time is left to save it, too.
    const call = { requestId: caller.requestId, remainingMs: caller.remainingMs() / 2 };
    let fault: Awaited<ReturnType<WorkerClient['tryStatements']>>;
    try {
      fault = await this.worker.tryStatements(toConnection(source), trials.map(toStatementTrial), caller.userId, call);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.logger.warn({ err: error, dataSourceId: source.id }, 'a row policy could not be tried at its source');
      return untried(error.publicMessage);
    }
    if (!fault) return undefined;
    const { path = ['predicate'], table } = trials[fault.trial] ?? {};
    const where = table === undefined ? '' : ` (table ${table})`;
    throw new AppError('sql.rejected', `${fault.message}${where}`, { path });
  }
}

function untried(reason: string): string {
  return `${reason} The policy is saved and holds, but nobody knows whether the data source can compute it. Save it again to have it tried.`;
}

type StatementTrial = Parameters<WorkerClient['tryStatements']>[1][number];

function toStatementTrial({ values, reach, path: _path, table: _table, ...trial }: PolicyTrial): StatementTrial {
  const bound = values.map(({ type, value }) => (value === null ? { type } : { type, value }));
  const copy = (relation: NonNullable<PolicyTrial['reach']>['relations'][number]) => {
    const { schema, name, writtenSchema, policyIds } = relation;
    return { schema, name, writtenSchema, policyIds: [...policyIds] };
  };
  const premises = reach && { relations: reach.relations.map(copy), governed: reach.governed.map(copy) };
  return { ...trial, values: bound, reach: premises };
}
