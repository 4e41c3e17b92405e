import { Injectable } from '@nestjs/common';
import type { RequestOf, ResponseOf, SourceConnection, workerRequests } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { proveReadOnly } from '#libs/sql';
import { ConnectorRegistry } from '../connector/connector-registry.js';
import { SourceOpener } from './source-opener.js';

type EstimateInput = RequestOf<typeof workerRequests.estimateStatement>;
type Estimate = ResponseOf<typeof workerRequests.estimateStatement>;

/** Has sources plan what is not run: in the same session, behind the same proof and the same confirmation as a run. */
@Injectable()
export class EstimateService {
  constructor(
    private readonly connectors: ConnectorRegistry,
    private readonly opener: SourceOpener,
  ) {}

  /** @param signal fires when nobody waits for the answer any more */
  async estimate(input: EstimateInput, source: SourceConnection, signal: AbortSignal): Promise<Estimate> {
    const { sql, values, reach, timeoutMs, submittedById } = input;
    await proveReadOnly(this.connectors.dialectOf(source.type), sql, { valueCount: values.length });
    const connector = await this.connectors.get(source.type);
    const purpose = { runId: newId('request'), workspaceId: source.workspaceId, submittedById, timeoutMs };
    const session = await connector.open(this.opener.open(source), purpose);
    const stop = (): void => void session.cancel().catch(() => undefined);
    signal.addEventListener('abort', stop, { once: true });
    try {
      if (reach) await session.confirm(reach);
      const bound = values.map(({ value }) => value ?? null);
      const { rows, bytes, cost, plan } = await session.estimate(sql, bound);
      return { rows: wholeOf(rows), bytes: wholeOf(bytes), cost, plan };
    } finally {
      signal.removeEventListener('abort', stop);
      await session.close();
    }
  }
}

/** Planners answer any number, such as 1e300 rows of a cross join. */
function wholeOf(count: number | undefined): number | undefined {
  return count === undefined ? undefined : Math.min(Math.round(count), Number.MAX_SAFE_INTEGER);
}
