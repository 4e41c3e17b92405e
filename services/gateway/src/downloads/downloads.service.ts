import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Request, Response } from 'express';
import { InjectConfig } from '#libs/config';
import { TokenVerifier } from '#libs/identity';
import { AppError, delay } from '#libs/kernel';
import { AccessRecorder, Lifecycle } from '#libs/service';
import { AppLogger } from '#libs/telemetry';
import type { GatewayConfig } from '../gateway.config.js';
import { auditedDownload } from './audited-download.js';
import { BytePlaces } from './byte-places.store.js';
import { addressInvalid } from './download-addresses.js';
import { DownloadMetrics, type DownloadOutcome } from './download-metrics.js';
import { DownloadOpener, type AdmittedDownload, type OpenDownload } from './download-opener.service.js';
import { DownloadSlots } from './download-slots.js';
import { prepareBody, type PreparedBody } from './prepare-body.js';
import { transfer, TransferEnded } from './transfer.js';

/** Revocations are known within two seconds; with this a download outlives its right by less than five. */
const checkMs = 2_000;

/** What a request names. */
interface AskedDownload {
  readonly file: string;
  readonly signature: string;
  readonly requestId: string;
}

/** Sends files, within the limits, for as long as they may be sent. */
@Injectable()
export class DownloadsService implements OnModuleInit {
  private readonly underWay = new Set<AbortController>();
  private isDraining = false;

  constructor(
    private readonly opener: DownloadOpener,
    private readonly slots: DownloadSlots,
    private readonly places: BytePlaces,
    private readonly recorder: AccessRecorder,
    private readonly verifier: TokenVerifier,
    private readonly metrics: DownloadMetrics,
    private readonly logger: AppLogger,
    private readonly lifecycle: Lifecycle,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'downloads' | 'service'>,
  ) {}

  onModuleInit(): void {
    this.lifecycle.onDrain('downloads', () => this.drain());
  }

  /**
   * Sends one file. Before its first byte it fails as any request does, by an error; afterwards by breaking the connection.
   * @throws AppError also where nothing could be sent
   */
  async send(asked: AskedDownload, request: Request, response: Response): Promise<void> {
    if (this.isDraining) throw stopping();
    const ending = new AbortController();
    const onClose = (): void => ending.abort(new TransferEnded('the client has left'));
    response.once('close', onClose);
    try {
      const admitted = await this.opener.admit(asked.file, asked.signature);
      // A place is taken before anything is looked up: what is beyond the limit costs nobody anything.
      const release = this.slots.take(admitted.principal.userId);
      this.underWay.add(ending);
      const watch = this.watch(admitted, ending);
      try {
        const download = await this.opener.open(admitted, asked.requestId, ending.signal);
        // Before the first byte: what left is in the audit log, whatever happens to us next.
        if (request.method !== 'HEAD') await this.recorder.record(auditedDownload(download, asked.requestId, request));
        await this.answer(download, request, response, ending);
      } finally {
        clearInterval(watch);
        this.underWay.delete(ending);
        release();
      }
    } catch (error) {
      if (error instanceof TransferEnded && error.refusal) throw error.refusal;
      throw error;
    } finally {
      response.off('close', onClose);
    }
  }

  private async answer(
    download: OpenDownload,
    request: Request,
    response: Response,
    ending: AbortController,
  ): Promise<void> {
    const body = await prepareBody(download, request, this.places, ending.signal);
    ending.signal.throwIfAborted();
    writeHead(download, body, response);
    if (request.method === 'HEAD' || !body.content) response.end();
    else await this.stream(download, body, { request, response, ending });
  }

  private async stream(
    download: OpenDownload,
    { content, coding }: PreparedBody,
    { request, response, ending }: { request: Request; response: Response; ending: AbortController },
  ): Promise<void> {
    if (!content) return;
    const { format } = download.grant;
    const startedAtMs = performance.now();
    let bytes = 0;
    let outcome: DownloadOutcome = 'completed';
    try {
      await transfer(request, response, content, {
        coding,
        idleMs: this.config.downloads.idleSeconds * 1_000,
        signal: ending.signal,
        onSent: (count) => {
          bytes += count;
          this.metrics.sent(format, count);
        },
      });
    } catch (err) {
      outcome = err instanceof TransferEnded || ending.signal.aborted ? 'aborted' : 'failed';
      this.logger[outcome === 'failed' ? 'error' : 'info']({ err, format }, 'a download was broken off');
    }
    const seconds = (performance.now() - startedAtMs) / 1_000;
    this.metrics.ended(format, outcome, seconds);
    // What the audit log will take.
    const { executionId } = download.grant;
    const { workspaceId, userId, apiKeyId } = download.principal;
    this.logger.info(
      { executionId, workspaceId, userId, apiKeyId, format, bytes, seconds, outcome },
      'a download ended',
    );
  }

  /** Ends the transfer when its maker's rights or its time end. */
  private watch({ principal }: AdmittedDownload, ending: AbortController): NodeJS.Timeout {
    const endsAtMs = performance.now() + this.config.downloads.secondsMax * 1_000;
    const timer = setInterval(() => {
      if (performance.now() > endsAtMs) ending.abort(new TransferEnded('the download has taken too long'));
      this.verifier.isRevoked(principal).then(
        (isRevoked) => isRevoked && ending.abort(new TransferEnded('the right to it has ended', addressInvalid())),
        () => ending.abort(new TransferEnded('nobody can prove the right to it')),
      );
    }, checkMs);
    timer.unref();
    return timer;
  }

  /** New ones are refused, those under way have half of the time that stopping may take. */
  private async drain(): Promise<void> {
    this.isDraining = true;
    const until = performance.now() + this.config.service.drainSeconds * 500;
    while (this.underWay.size > 0 && performance.now() < until) await delay(100);
    for (const ending of this.underWay) ending.abort(new TransferEnded('the gateway stops', stopping()));
  }
}

function writeHead(download: OpenDownload, { status, headers }: PreparedBody, response: Response): void {
  response.status(status);
  response.attachment(download.fileName);
  response.setHeaders(new Map(Object.entries(headers)));
  if (response.hasHeader('access-control-allow-origin')) {
    const exposed = 'x-request-id, content-disposition, content-range, accept-ranges, etag';
    response.setHeader('access-control-expose-headers', exposed);
  }
}

function stopping(): AppError {
  return new AppError('bus.unavailable', 'This gateway stops; ask again.', { retryable: true, retryAfterSeconds: 1 });
}
