import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { resultsRequests, type Execution } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { Cursors } from '../cursors/cursors.js';
import { invalidInput } from '../errors/user-error.js';
import type { GatewayConfig } from '../gateway.config.js';
import type { RequestContext } from '../request/request-context.js';
import { checkColumnsDistinct, columnIndexes } from './column-choice.js';
import { CompleteManifests } from './complete-manifests.store.js';
import { DecodedPagesStore } from './decoded-pages.store.js';
import { PageTables } from './page-tables.store.js';
import type { RawRows } from './raw-rows.js';
import { forgottenOf, isFinal, resultIdOf, type ResultView } from './result-view.js';
import { RowSource, type RowsRead } from './row-source.js';

export interface RowsArgs {
  readonly first: number;
  readonly after?: string | null;
  readonly offset?: number | null;
  readonly columns?: readonly string[] | null;
}

/** The contract's RowPage. */
export interface RowPage {
  readonly offset: number;
  readonly rows: readonly RawRows[];
  readonly endCursor: string;
  readonly hasNextPage: boolean;
}

const rowsMax = 10_000;

/** Reads rows from the page table and the store. */
@Injectable()
export class ResultsService {
  constructor(
    private readonly pages: DecodedPagesStore,
    private readonly manifests: CompleteManifests,
    private readonly tables: PageTables,
    private readonly cursors: Cursors,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'rows'>,
  ) {}

  /** One page of an execution's rows. */
  async rowsOf(result: ResultView, args: RowsArgs, context: RequestContext): Promise<RowPage> {
    const { execution, manifest } = result;
    const columns = args.columns ?? null;
    const offset = this.offsetOf(result, args);
    if (manifest.state === 'EXPIRED') throw expired();
    if (columns) columnIndexes(manifest.columns, columns);
    const source = this.source(execution, context, manifest);
    const read = await source.read(offset, {
      rowsMax: args.first,
      bytesMax: this.config.rows.responseBytesMax,
      columns,
    });
    return this.toPage(execution, source, offset, read);
  }

  /** The rows of an execution's run, for one reader. */
  source(
    execution: Execution,
    context: RequestContext,
    manifest: ResultView['manifest'] | undefined = this.manifests.get(execution),
    readsAhead = false,
  ): RowSource {
    const { runId, workspaceId } = execution;
    return new RowSource(
      {
        locate: async (fromRow, rowCount) => {
          const ask = async () => {
            const located = await context.ask(resultsRequests.locatePages, { runId, fromRow, rowCount });
            // So that those who come back together, as after a gateway's end, do not ask one after another.
            if (located.manifest) this.manifests.keep(located.manifest);
            return located;
          };
          // Whoever follows an execution has proven that they may see it, and the page table says the same to all.
          const located = await (readsAhead ? this.tables.locate(`${workspaceId}/${runId}`, fromRow, ask) : ask());
          return located.manifest ? located : { ...located, manifest: forgottenOf(execution) };
        },
        open: (of, page) => this.pages.get(of, page),
        openInline: (of, inline) => this.pages.getInline(of, inline),
      },
      manifest,
      readsAhead,
    );
  }

  toPage(execution: Execution, source: RowSource, offset: number, { rows, count }: RowsRead): RowPage {
    const { cursors } = this;
    const end = offset + count;
    const { state } = execution;
    // A follower's manifest is as of the last look at the page table; how many rows there are in the end only a success says.
    const rowCount = Math.max(source.manifest?.rowCount ?? 0, state === 'SUCCEEDED' ? execution.rows : 0);
    // Whoever left a shared run goes on seeing what comes for the others.
    const mayGrow = source.readsAhead || source.manifest?.state === 'WRITING';
    const isCounted = state === 'SUCCEEDED' || (isFinal(state) && !mayGrow);
    return {
      offset,
      rows,
      // Signed where it is asked for.
      get endCursor() {
        return cursors.row(resultIdOf(execution), end);
      },
      hasNextPage: !isCounted || end < rowCount,
    };
  }

  private offsetOf({ id }: ResultView, { first, after, offset, columns }: RowsArgs): number {
    if (first < 1 || first > rowsMax) throw invalidInput(`first must be from 1 to ${rowsMax}`, 'first');
    if (columns) checkColumnsDistinct(columns);
    const hasAfter = after !== null && after !== undefined;
    if (hasAfter && offset !== null && offset !== undefined) {
      throw invalidInput('give after or offset, not both', 'offset');
    }
    if (hasAfter) return this.cursors.readRow(after, 'after', id);
    if ((offset ?? 0) < 0) throw invalidInput('offset must not be negative', 'offset');
    return offset ?? 0;
  }
}

export function expired(): AppError {
  return new AppError('result.expired', 'The result has expired; run the query again.');
}
