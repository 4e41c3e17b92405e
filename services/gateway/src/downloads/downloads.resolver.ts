import { Inject } from '@nestjs/common';
import { ResolveField, Resolver } from '@nestjs/graphql';
import { InjectConfig } from '#libs/config';
import { AppError, type Clock } from '#libs/kernel';
import { CLOCK } from '#libs/service';
import { invalidInput } from '../errors/user-error.js';
import type { GatewayConfig } from '../gateway.config.js';
import type { RequestContext } from '../request/request-context.js';
import { currentOrigin } from '../request/request-scope.js';
import { columnIndexes } from '../results/column-choice.js';
import { resultStateOf, type ResultView } from '../results/result-view.js';
import { DownloadAddresses } from './download-addresses.js';
import type { DownloadFormat } from './download-choice.js';
import { formats } from './download-formats.js';

interface DownloadArgs {
  readonly format: DownloadFormat;
  readonly columns?: readonly string[] | null;
  readonly escapeFormulas?: boolean | null;
}

interface Download {
  readonly url: string;
  readonly expiresAt: Date;
}

export const downloadsPath = '/v1/downloads';

/** XLSX has no more columns. */
const sheetColumnsMax = 16_384;

@Resolver('Result')
export class DownloadsResolver {
  constructor(
    private readonly addresses: DownloadAddresses,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'downloads' | 'http'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @ResolveField('download')
  download({ execution, manifest }: ResultView, args: DownloadArgs, { caller }: RequestContext): Download | null {
    const { format } = args;
    const state = resultStateOf(execution, manifest);
    // Of one that is gone the columns may be gone, too.
    if (state === 'EXPIRED') return null;
    const columns = args.columns ? columnIndexes(manifest.columns, args.columns) : null;
    if (columns?.length === 0) throw invalidInput('a file needs at least one column', 'columns');
    if (state !== 'COMPLETE') return null;
    if (format === 'XLSX' && (columns ?? manifest.columns).length > sheetColumnsMax) {
      throw new AppError('result.too_large', `A sheet has at most ${sheetColumnsMax} columns.`);
    }
    const { addressSeconds, escapesFormulas } = this.config.downloads;
    const { accessToken, principal } = caller;
    const expiresAtMs = Math.min(this.clock.nowMs() + addressSeconds * 1_000, principal.expiresAt.getTime());
    const signature = this.addresses.sign({
      executionId: execution.id,
      format,
      columns,
      escapesFormulas: args.escapeFormulas ?? escapesFormulas,
      accessToken,
      expiresAtMs,
    });
    const place = `${downloadsPath}/${execution.id}.${formats[format].extension}?signature=${signature}`;
    return { url: `${this.origin}${place}`, expiresAt: new Date(expiresAtMs) };
  }

  /** Where clients find the gateway. Without the setting it is what the request names, which over a WebSocket is nothing. */
  private get origin(): string {
    return this.config.http.publicUrl ?? currentOrigin() ?? '';
  }
}
