import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { toAppError, toPublicErrorCode, type PublicErrorCode } from '#libs/kernel';
import { TrustedProxies } from '../http/trusted-proxies.js';
import { FaultLog } from '../observability/fault-log.js';
import { requestIdOf, runInScope } from '../request/request-scope.js';
import { DownloadMetrics } from './download-metrics.js';
import { downloadsPath } from './downloads.resolver.js';
import { DownloadsService } from './downloads.service.js';

const statuses: Partial<Record<PublicErrorCode, number>> = {
  INVALID_INPUT: 406,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  RESULT_EXPIRED: 410,
  RATE_LIMITED: 429,
};

const tracer = trace.getTracer('sluice-gateway');

/** The one path beside GraphQL that rows leave by. What is asked for stands in the signature, and in nothing else. */
@Controller(downloadsPath)
export class DownloadsController {
  constructor(
    private readonly downloads: DownloadsService,
    private readonly metrics: DownloadMetrics,
    private readonly faults: FaultLog,
    private readonly proxies: TrustedProxies,
  ) {}

  @Get(':file')
  async download(
    @Param('file') file: string,
    @Query('signature') signature: unknown,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const requestId = requestIdOf(request.headers['x-request-id']);
    const span = tracer.startSpan(
      'gateway.download.send',
      // Never the address: whoever has it has the file.
      { kind: SpanKind.SERVER, attributes: { 'sluice.request_id': requestId, 'http.request.method': request.method } },
      propagation.extract(context.active(), request.headers),
    );
    const clientAddress = this.proxies.clientAddressOf(request);
    const scope = { requestId, clientAddress, userAgent: request.headers['user-agent'] };
    try {
      await context.with(trace.setSpan(context.active(), span), () =>
        runInScope(scope, () => this.serve(file, signature, request, response)),
      );
    } finally {
      span.setAttribute('http.response.status_code', response.statusCode);
      if (response.statusCode >= 500 || !response.writableEnded) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    }
  }

  private async serve(file: string, signature: unknown, request: Request, response: Response): Promise<void> {
    try {
      const requestId = requestIdOf(request.headers['x-request-id']);
      const given = typeof signature === 'string' ? signature : '';
      await this.downloads.send({ file, signature: given, requestId }, request, response);
    } catch (thrown) {
      this.refuse(thrown, response);
    }
  }

  /** A line that people and scripts can read, in place of the file. */
  private refuse(thrown: unknown, response: Response): void {
    this.metrics.ended('unknown', 'refused');
    if (response.destroyed) return;
    this.faults.report(thrown);
    const { code, publicMessage, retryable, retryAfterSeconds } = toAppError(thrown);
    const publicCode = toPublicErrorCode(code);
    if (retryAfterSeconds !== undefined) response.setHeader('retry-after', Math.ceil(retryAfterSeconds));
    for (const name of ['content-disposition', 'content-encoding', 'etag', 'accept-ranges'])
      response.removeHeader(name);
    response
      .status(statuses[publicCode] ?? (retryable ? 503 : 500))
      .type('text/plain')
      .send(`${publicCode}: ${publicMessage}\n`);
  }
}
