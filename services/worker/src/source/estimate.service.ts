import { Injectable } from '@nestjs/common';
import type { RequestOf, ResponseOf, SourceConnection, workerRequests } from '#libs/contracts';
import { proveReadOnly } from '#libs/sql';
import { ConnectorRegistry } from '../connector/connector-registry.js';
import { SourceSessions } from './source-sessions.js';

type EstimateInput = RequestOf<typeof workerRequests.estimateStatement>;
type Estimate = ResponseOf<typeof workerRequests.estimateStatement>;

/** Has sources plan what is not run: in the same session, behind the same proof and the same confirmation as a run. */
@Injectable()
export class EstimateService {
  constructor(
    private readonly connectors: ConnectorRegistry,
    private readonly sessions: SourceSessions,
  ) {}

  /** @param signal fires when nobody waits for the answer any more */
  async estimate(input: EstimateInput, source: SourceConnection, signal: AbortSignal): Promise<Estimate> {
    const { sql, values, reach } = input;
    await proveReadOnly(this.connectors.dialectOf(source.type), sql, { valueCount: values.length });
    return this.sessions.use(source, input, signal, async (session) => {
      if (reach) await session.confirm(reach);
      const bound = values.map(({ value }) => value ?? null);
      const { rows, bytes, cost, plan } = await session.estimate(sql, bound);
      return { rows: wholeOf(rows), bytes: wholeOf(bytes), cost, plan };
    });
  }
}

/** Planners answer any number, such as 1e300 rows of a cross join. */
function wholeOf(count: number | undefined): number | undefined {
  return count === undefined ? undefined : Math.min(Math.round(count), Number.MAX_SAFE_INTEGER);
}
