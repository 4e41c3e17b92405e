import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { InjectConfig } from '#libs/config';
import { AppError, toAppError, toPublicErrorCode, type PublicErrorCode } from '#libs/kernel';
import type { GatewayConfig } from '../gateway.config.js';
import { PlainHttp } from '../http/plain-http.js';
import { TrustedProxies } from '../http/trusted-proxies.js';
import { FaultLog } from '../observability/fault-log.js';
import type { RequestContext } from '../request/request-context.js';
import { sendScimError } from './scim-error.js';
import { scimPath } from './scim-path.js';
import type { ScimObject } from './scim-resource.js';

/** What an answer is; without a body it is sent with the status alone. */
export interface ScimAnswer {
  readonly status: number;
  readonly body?: ScimObject;
  readonly headers?: Readonly<Record<string, string>>;
}

const statuses: Partial<Record<PublicErrorCode, number>> = {
  INVALID_INPUT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  RATE_LIMITED: 429,
};

/** SCIM over the gateway's HTTP: its media type, its form of errors, its versions as ETag. */
@Injectable()
export class ScimHttp {
  constructor(
    private readonly http: PlainHttp,
    private readonly proxies: TrustedProxies,
    private readonly faults: FaultLog,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'http'>,
  ) {}

  /** Where the API is, as the client addressed it. */
  baseOf(request: Request): string {
    return `${this.config.http.publicUrl ?? this.proxies.originOf(request) ?? ''}/${scimPath}`;
  }

  async answer(
    request: Request,
    response: Response,
    work: (context: RequestContext) => Promise<ScimAnswer>,
  ): Promise<void> {
    await this.send(request, response, async (context) => {
      void context.caller;
      const { status, body, headers = {} } = await work(context);
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      response.status(status);
      if (body === undefined) response.end();
      else response.type('application/scim+json').send(JSON.stringify(withoutExcluded(body, request)));
    });
  }

  /** Has `work` write the answer itself. */
  async send(request: Request, response: Response, work: (context: RequestContext) => Promise<void>): Promise<void> {
    await this.http.stream(request, response, async (context) => {
      try {
        await work(context);
      } catch (thrown) {
        if (response.headersSent) throw thrown;
        this.refuse(request, response, thrown);
      }
    });
  }

  private refuse(request: Request, response: Response, thrown: unknown): void {
    this.faults.report(thrown);
    const error = toAppError(thrown);
    const status = statusOf(error, request);
    if (status === 401) response.setHeader('www-authenticate', 'Bearer');
    if (error.retryAfterSeconds !== undefined) response.setHeader('retry-after', Math.ceil(error.retryAfterSeconds));
    sendScimError(response, status, error);
  }
}

/** The version that a change is for. @throws AppError `input.invalid` */
export function ifMatch(request: Request): number | undefined {
  const value = request.headers['if-match'];
  if (value === undefined || value === '*') return undefined;
  const [, version] = /^(?:W\/)?"(\d{1,9})"$/.exec(value) ?? [];
  // What is no version of ours is none that it could be at.
  return version === undefined ? 0 : Number(version);
}

export function isExcluded(request: Request, attribute: string): boolean {
  return namesIn(request.query['excludedAttributes']).includes(attribute.toLowerCase());
}

function statusOf(error: AppError, request: Request): number {
  if (error.code === 'entity.conflict' && request.headers['if-match'] !== undefined) return 412;
  return statuses[toPublicErrorCode(error.code)] ?? (error.retryable ? 503 : 500);
}

/** RFC 7644, 3.9: only the attributes that are asked for, or all but some; those that are always there stay. */
function withoutExcluded(body: ScimObject, request: Request): ScimObject {
  if (Array.isArray(body['Resources'])) {
    // Only the controllers make it.
    const resources = body['Resources'] as ScimObject[];
    return { ...body, Resources: resources.map((resource) => withoutExcluded(resource, request)) };
  }
  const [wanted, excluded] = [namesIn(request.query['attributes']), namesIn(request.query['excludedAttributes'])];
  if (wanted.length === 0 && excluded.length === 0) return body;
  const always = ['schemas', 'id', 'meta'];
  const isKept = (name: string): boolean =>
    always.includes(name) ||
    (wanted.length > 0 ? wanted.includes(name.toLowerCase()) : !excluded.includes(name.toLowerCase()));
  return Object.fromEntries(Object.entries(body).filter(([name]) => isKept(name)));
}

/** The first part of each: of `name.givenName` the whole name is shown. */
function namesIn(value: unknown): string[] {
  if (typeof value !== 'string') return [];
  return value.split(',').map((name) => (name.trim().split(':').at(-1) ?? '').split('.', 1)[0]?.toLowerCase() ?? '');
}
