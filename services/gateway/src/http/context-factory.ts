import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { BusClient } from '#libs/bus';
import { AuthenticatorService } from '../identity/authenticator.service.js';
import { RequestContext, type Credentials } from '../request/request-context.js';
import { currentRequestId } from '../request/request-scope.js';

/** Makes what resolvers know of a request. */
@Injectable()
export class ContextFactory {
  constructor(
    private readonly bus: BusClient,
    private readonly authenticator: AuthenticatorService,
  ) {}

  async forHttp(request: IncomingMessage, response: ServerResponse): Promise<RequestContext> {
    const requestId = currentRequestId();
    const gone = new AbortController();
    // Where the client has left, a wait ends. Where the answer has been sent there is none, and an abort makes an error
    // with its stack.
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    const credentials = await this.credentialsOf(request.headers.authorization, requestId);
    return new RequestContext(this.bus, requestId, { credentials }, gone.signal);
  }

  private async credentialsOf(authorization: string | undefined, requestId: string): Promise<Credentials> {
    if (authorization === undefined) return { kind: 'none' };
    try {
      return { kind: 'good', caller: await this.authenticator.authenticate(authorization, requestId) };
    } catch (error) {
      return { kind: 'refused', error };
    }
  }
}
