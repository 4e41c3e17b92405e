import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { AppError, toAppError, toPublicErrorCode, type PublicErrorCode } from '#libs/kernel';
import { userErrorsOf } from '../errors/user-error.js';
import { FaultLog } from '../observability/fault-log.js';
import type { RequestContext } from '../request/request-context.js';
import { currentRequestId, requestIdOf, runInScope } from '../request/request-scope.js';
import { ContextFactory } from './context-factory.js';
import { TrustedProxies } from './trusted-proxies.js';

const statuses: Partial<Record<PublicErrorCode, number>> = {
  INVALID_INPUT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  RATE_LIMITED: 429,
  QUOTA_EXCEEDED: 429,
};

/** The few calls beside GraphQL: they answer with JSON, and refuse as a mutation does, with a status of HTTP to it. */
@Injectable()
export class PlainHttp {
  constructor(
    private readonly contexts: ContextFactory,
    private readonly faults: FaultLog,
    private readonly proxies: TrustedProxies,
  ) {}

  /** Answers with what `work` makes. */
  async answer(
    request: Request,
    response: Response,
    work: (context: RequestContext) => Promise<Record<string, unknown>>,
  ): Promise<void> {
    await this.inScope(request, async () => {
      try {
        response.json(await work(await this.contexts.forHttp(request, response)));
      } catch (thrown) {
        this.refuseFor(response, thrown);
      }
    });
  }

  /** Has `work` send its own answer. What fails before its first byte is refused, what fails later breaks the connection. */
  async stream(request: Request, response: Response, work: (context: RequestContext) => Promise<void>): Promise<void> {
    await this.inScope(request, async () => {
      try {
        await work(await this.contexts.forHttp(request, response));
      } catch (thrown) {
        if (response.headersSent) {
          this.faults.report(thrown);
          response.destroy();
        } else this.refuseFor(response, thrown);
      }
    });
  }

  /** Refuses a call by another method than the one that its address knows. */
  async refuseMethod(request: Request, response: Response, allowed: string): Promise<void> {
    response.setHeader('allow', allowed);
    await this.refuseRequest(request, response, 405, new AppError('input.invalid', `Send this by ${allowed}.`));
  }

  /** Refuses a call before anybody has asked who calls. */
  async refuseRequest(request: Request, response: Response, status: number, error: AppError): Promise<void> {
    await this.inScope(request, async () => {
      this.refuse(response, status, error);
    });
  }

  private inScope(request: Request, work: () => Promise<void>): Promise<void> {
    const requestId = requestIdOf(request.headers['x-request-id']);
    const clientAddress = this.proxies.clientAddressOf(request);
    return runInScope({ requestId, clientAddress, userAgent: request.headers['user-agent'] }, work);
  }

  private refuseFor(response: Response, thrown: unknown): void {
    const error = toAppError(thrown);
    const status = statuses[toPublicErrorCode(error.code)] ?? (error.retryable ? 503 : 500);
    if (error.retryAfterSeconds !== undefined) {
      response.setHeader('retry-after', Math.ceil(error.retryAfterSeconds));
    }
    this.refuse(response, status, thrown);
  }

  private refuse(response: Response, status: number, thrown: unknown): void {
    this.faults.report(thrown);
    response.status(status).json({ errors: userErrorsOf(toAppError(thrown)), requestId: currentRequestId() });
  }
}
