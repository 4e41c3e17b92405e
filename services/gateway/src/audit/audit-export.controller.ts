import { once } from 'node:events';
import { All, Controller, Get, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { auditRequests, type AuditFilter } from '#libs/contracts';
import { PlainHttp } from '../http/plain-http.js';
import type { RequestContext } from '../request/request-context.js';
import { parseAuditFilter } from './audit-filter.js';

/**
 * The audit log as NDJSON, oldest first. A page at a time is read, and the next one when the client has taken it: an export
 * of any length needs the memory of two pages. What breaks in the middle breaks the connection, never looks like the end.
 */
@Controller('v1/audit')
export class AuditExportController {
  constructor(private readonly http: PlainHttp) {}

  @Get('export')
  async export(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.stream(request, response, async (context) => {
      void context.caller;
      const filter = parseAuditFilter(request.query);
      const first = await context.ask(auditRequests.exportAuditEntries, { filter, afterSequence: 0, begins: true });
      response.setHeader('content-type', 'application/x-ndjson; charset=utf-8');
      response.setHeader('content-disposition', 'attachment; filename="audit.ndjson"');
      response.setHeader('cache-control', 'no-store');
      await this.send(response, first.lines, context.signal);
      if (first.hasMore) await this.sendRest(response, filter, first.lastSequence, context);
      response.end();
    });
  }

  @All('export')
  async refuse(@Req() request: Request, @Res() response: Response): Promise<void> {
    await this.http.refuseMethod(request, response, 'GET');
  }

  private async sendRest(
    response: Response,
    filter: AuditFilter,
    afterSequence: number,
    context: RequestContext,
  ): Promise<void> {
    for (let after = afterSequence; ;) {
      const page = await context.ask(auditRequests.exportAuditEntries, { filter, afterSequence: after, begins: false });
      if (!page.hasMore) return;
      await this.send(response, page.lines, context.signal);
      after = page.lastSequence;
    }
  }

  private async send(response: Response, lines: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (lines !== '' && !response.write(lines)) await once(response, 'drain', { signal });
  }
}
