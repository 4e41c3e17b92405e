import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';
import { BusClient } from '#libs/bus';
import { AuthenticatorService } from '../identity/authenticator.service.js';
import { BrowserCredentials } from '../identity/browser-credentials.js';
import { RequestContext, type Credentials, type Listener } from '../request/request-context.js';
import { currentClientAddress, currentRequestId } from '../request/request-scope.js';

/** Makes what resolvers know of a request. */
@Injectable()
export class ContextFactory {
  constructor(
    private readonly bus: BusClient,
    private readonly authenticator: AuthenticatorService,
    private readonly browsers: BrowserCredentials,
  ) {}

  async forHttp(request: IncomingMessage, response: ServerResponse): Promise<RequestContext> {
    const requestId = currentRequestId();
    const credentials = await this.credentialsOf(this.browsers.of(request), requestId);
    return new RequestContext(this.bus, requestId, { credentials }, new WaitingClient(response));
  }

  private async credentialsOf(authorization: string | undefined, requestId: string): Promise<Credentials> {
    if (authorization === undefined) return { kind: 'none' };
    try {
      return {
        kind: 'good',
        caller: await this.authenticator.authenticate(authorization, requestId, currentClientAddress() ?? ''),
      };
    } catch (error) {
      return { kind: 'refused', error };
    }
  }
}

/** Who waits for a response. Few answers ask whether somebody does, and a signal is dear, so it is made where it is asked for. */
class WaitingClient implements Listener {
  private made: AbortSignal | undefined;

  constructor(private readonly response: ServerResponse) {}

  get signal(): AbortSignal {
    return (this.made ??= this.makeSignal());
  }

  private makeSignal(): AbortSignal {
    const { response } = this;
    const gone = new AbortController();
    // Where the client has left, a wait ends. Where the answer has been sent there is none, and an abort makes an error
    // with its stack.
    const leave = (): void => {
      if (!response.writableFinished) gone.abort();
    };
    if (response.closed) leave();
    else response.once('close', leave);
    return gone.signal;
  }
}
