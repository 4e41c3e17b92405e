import { ResolveField, Resolver } from '@nestjs/graphql';
import type { RequestContext } from '../request/request-context.js';
import { resultStateOf, type ResultState, type ResultView } from './result-view.js';
import { ResultsService, type RowPage, type RowsArgs } from './results.service.js';

@Resolver('Result')
export class ResultsResolver {
  constructor(private readonly results: ResultsService) {}

  @ResolveField('state')
  state({ execution, manifest }: ResultView): ResultState {
    return resultStateOf(execution, manifest);
  }

  @ResolveField('columns')
  columns({ manifest }: ResultView) {
    return manifest.columns;
  }

  @ResolveField('rowCount')
  rowCount({ manifest }: ResultView): number {
    return manifest.rowCount;
  }

  @ResolveField('byteCount')
  byteCount({ manifest }: ResultView): number {
    return manifest.byteCount;
  }

  @ResolveField('truncated')
  truncated({ manifest }: ResultView): boolean {
    return manifest.truncated;
  }

  @ResolveField('sampled')
  sampled({ execution }: ResultView): boolean {
    return execution.sampled ?? false;
  }

  @ResolveField('expiresAt')
  expiresAt({ manifest }: ResultView): Date | null {
    return manifest.expiresAt ?? null;
  }

  @ResolveField('rows')
  rows(result: ResultView, args: RowsArgs, context: RequestContext): Promise<RowPage> {
    return this.results.rowsOf(result, args, context);
  }
}
