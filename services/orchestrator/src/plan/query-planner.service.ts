import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { SourceConnection } from '#libs/contracts';
import { AppError, type Issue } from '#libs/kernel';
import { readTables, sqlDialectOf, type BoundValue, type SqlDialect, type TableName } from '#libs/sql';
import { AppLogger } from '#libs/telemetry';
import { BoundTemplates } from './bound-templates.js';
import { GovernedStatements } from './governed-statements.js';
import type { GoverningPolicies, PlanInput, PlanPlaces, QueryPlan } from './query-plan.js';
import { StatementShaper } from './statement-shaper.js';

/** Characters of all statements that are kept as proven. */
const provenCharactersMax = 5_000_000;

/** Makes of a question what is sent to its source. Every path to a source leads through here. */
@Injectable()
export class QueryPlanner {
  private readonly templates = new BoundTemplates();
  private readonly shaper = new StatementShaper();
  /** The tables of statements that were proven; a proof knows nothing but the dialect, the text and the number of values. */
  private readonly proven = new LRUCache<string, readonly TableName[]>({
    maxSize: provenCharactersMax,
    sizeCalculation: (tables, key) => key.length + 100 * (1 + tables.length),
  });

  private readonly governed = new GovernedStatements();

  constructor(private readonly logger: AppLogger) {}

  /**
   * @throws AppError at the caller's place for it: `parameter.missing`, `parameter.invalid`, `parameter.attribute_absent`,
   * `run.sample_unsound`, `sql.rejected`, `sql.too_long`, `sql.not_read_only`, and `input.invalid` for an unknown time zone
   */
  async plan(input: PlanInput): Promise<QueryPlan> {
    try {
      const dialect = dialectOf(input.source);
      const { sql: written, values, parameters } = this.templates.bind(input, dialect);
      const mayBeGoverned = input.policies !== undefined;
      const { source, revision, isSamplable, limits, isClosed } = input;
      const known = { version: `${source.id}/${revision}`, isSamplable };
      const sql = await this.shaper.shape(dialect, written, { ...limits, mayBeGoverned, isClosed, tables: known });
      if (input.policies) return { parameters, ...(await this.govern(input.policies, sql, values, input.source)) };
      const tables = await this.prove(dialect, sql, values.length);
      return { sql, values, parameters, tables, policyFingerprint: '', reach: undefined };
    } catch (error) {
      throw error instanceof AppError ? placed(error, input.places) : error;
    }
  }

  /** Puts the policies inside of the statement, which also proves it. The reason of a refusal is for the log alone. */
  private async govern(
    { policies, caller }: GoverningPolicies,
    sql: string,
    values: readonly BoundValue[],
    { id }: SourceConnection,
  ): Promise<Omit<QueryPlan, 'parameters'>> {
    try {
      const compiled = await this.governed.compile(policies, { sql, valueCount: values.length, caller });
      const { fingerprint: policyFingerprint, reach, tables } = compiled;
      return { sql: compiled.sql, values: [...values, ...compiled.values], tables, policyFingerprint, reach };
    } catch (error) {
      const reason = error instanceof AppError ? error.details?.['reason'] : undefined;
      if (reason !== undefined) this.logger.info({ sourceId: id, reason }, 'row policies refused a statement');
      throw error;
    }
  }

  private async prove(dialect: SqlDialect, sql: string, valueCount: number): Promise<readonly TableName[]> {
    const key = `${dialect} ${valueCount} ${sql}`;
    const known = this.proven.get(key);
    if (known) return known;
    const tables = await readTables(dialect, sql, { valueCount });
    this.proven.set(key, tables);
    return tables;
  }
}

function dialectOf({ type }: SourceConnection): SqlDialect {
  const dialect = sqlDialectOf(type);
  if (!dialect) throw new Error(`no dialect is known for sources of type ${type}`);
  return dialect;
}

/** The same fault, where the caller's input has what it is about. */
function placed(error: AppError, places: PlanPlaces): AppError {
  const place = ({ code, path }: Pick<Issue, 'code' | 'path'>): readonly string[] => {
    if (code.startsWith('parameter.')) return [...places.parameters, ...path];
    if (code === 'run.sample_unsound') return path;
    return code === 'input.invalid' ? ['timeZone'] : [...places.text, ...path];
  };
  return new AppError(error.code, error.publicMessage, {
    path: place(error),
    issues: error.issues.map((issue) => ({ ...issue, path: place(issue) })),
    details: error.details,
    internalMessage: error.internalMessage,
    cause: error,
  });
}
