import type { IncomingMessage } from 'node:http';
import { All, Controller, Get, Param, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { BusClient } from '#libs/bus';
import { InjectConfig } from '#libs/config';
import { federationRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AppError, toAppError } from '#libs/kernel';
import { AppLogger } from '#libs/telemetry';
import type { GatewayConfig } from '../gateway.config.js';
import { BrowserCredentials } from '../identity/browser-credentials.js';
import { TrustedProxies } from '../http/trusted-proxies.js';
import { FaultLog } from '../observability/fault-log.js';
import { requestIdOf, runInScope } from '../request/request-scope.js';
import { cookieNames, cookieOf, setCookie, setSessionCookie } from './cookies.js';
import { readForm } from './read-form.js';
import { checkReturnUrl } from './return-url.js';
import { donePage, failurePage } from './sso-page.js';
import { ssoPath } from './sso-paths.js';

type Asked = RequestOf<typeof federationRequests.answerSso>;
type Answer = ResponseOf<typeof federationRequests.answerSso>;

const flowSeconds = 600;
/** An identity provider may have to be asked meanwhile, more than once. */
const ttlMs = 30_000;

/** Signing in through identity providers: carries HTTP to auth and its answer back, and keeps the cookies. */
@Controller(ssoPath)
export class SsoController {
  constructor(
    private readonly bus: BusClient,
    private readonly proxies: TrustedProxies,
    private readonly browsers: BrowserCredentials,
    private readonly faults: FaultLog,
    private readonly logger: AppLogger,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'http' | 'sessionCookie'>,
  ) {}

  @Get('done')
  done(@Res() response: Response): void {
    response.type('html').send(donePage);
  }

  @All(':providerId/:action')
  async answer(
    @Param('providerId') providerId: string,
    @Param('action') action: string,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const requestId = requestIdOf(request.headers['x-request-id']);
    await runInScope({ requestId, clientAddress: this.proxies.clientAddressOf(request) }, async () => {
      try {
        const input = await this.read(providerId, action, request);
        const context = { workspaceId: '', actor: { case: undefined }, requestId };
        const answer = await this.bus.request(federationRequests.answerSso, input, { context, ttlMs });
        send(response, answer, this.config.sessionCookie);
      } catch (thrown) {
        this.refuse(response, thrown, requestId);
      }
    });
  }

  private async read(providerId: string, action: string, request: Request): Promise<Asked> {
    const origin = this.config.http.publicUrl ?? this.proxies.originOf(request);
    if (origin === undefined || !URL.canParse(origin)) {
      throw new AppError('sso.request_invalid', 'The request does not say where it goes.');
    }
    const at = request.originalUrl.indexOf('?');
    const query = at < 0 ? '' : request.originalUrl.slice(at + 1);
    const body = await readForm(request);
    const returnTo = new URLSearchParams(query).get('returnTo') ?? new URLSearchParams(body).get('returnTo');
    return {
      ...{ providerId, action, method: request.method, query, body, origin: new URL(origin).origin },
      returnTo: checkReturnUrl(returnTo ?? undefined, origin, this.config.http.allowedOrigins),
      flowCookie: cookieOf(request, cookieNames.flow),
      sessionCookie: cookieOf(request, cookieNames.session),
      fromOwnPage: this.browsers.isOwn(request),
      clientAddress: this.proxies.clientAddressOf(request),
      peerAddress: request.socket.remoteAddress ?? '',
      headers: headersOf(request),
      userAgent: request.headers['user-agent']?.slice(0, 500) ?? '',
    };
  }

  private refuse(response: Response, thrown: unknown, requestId: string): void {
    const { code, publicMessage, retryable } = toAppError(thrown);
    // Whoever looks for the request's id finds the whole reason.
    if (code.startsWith('sso.')) this.logger.warn({ err: thrown, code }, 'a sign-in through a provider failed');
    else this.faults.report(thrown);
    const status = statuses[code] ?? (retryable ? 503 : code.startsWith('sso.') ? 400 : 500);
    response
      .status(status)
      .type('html')
      .send(failurePage(code, publicMessage, requestId));
  }
}

const statuses: Readonly<Record<string, number>> = {
  'identity_provider.not_found': 404,
  'sso.provider_changed': 409,
  'sso.domain_refused': 403,
  'sso.account_exists': 403,
  'sso.user_disabled': 403,
  'sso.email_missing': 403,
  'sso.provider_unavailable': 502,
};

function send(
  response: Response,
  { answer, flowCookie, sessionCookie, sessionExpiresAt, flowIsCrossSite }: Answer,
  lifetime: GatewayConfig['sessionCookie'],
): void {
  if (flowCookie !== undefined) {
    const sameSite = flowIsCrossSite ? 'None' : 'Lax';
    response.append('set-cookie', setCookie(cookieNames.flow, flowCookie, { sameSite, maxAgeSeconds: flowSeconds }));
  }
  if (sessionCookie !== undefined) {
    response.append('set-cookie', setSessionCookie(sessionCookie, sessionExpiresAt, lifetime));
  }
  switch (answer.case) {
    case 'redirect':
      // After a form, too, the browser is to GET what comes next.
      response.redirect(303, answer.value.location);
      return;
    case 'document':
      response.status(200).setHeader('content-type', answer.value.contentType).send(answer.value.body);
      return;
    case 'done':
    case undefined:
      response.status(200).end();
  }
}

/** What a provider may speak by; never what proves somebody to us. As they came: one that came twice is there twice. */
function headersOf({ rawHeaders }: IncomingMessage): Asked['headers'] {
  const hidden = new Set(['cookie', 'authorization', 'proxy-authorization']);
  return rawHeaders.flatMap((name, index) =>
    // Names and values take turns.
    index % 2 === 1 || hidden.has(name.toLowerCase()) ? [] : [{ name, value: rawHeaders[index + 1] ?? '' }],
  );
}
