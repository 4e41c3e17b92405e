import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { InjectConfig } from '#libs/config';
import { delay } from '#libs/kernel';
import { Lifecycle } from '#libs/service';
import type { GatewayConfig } from '../gateway.config.js';

/**
 * The end of the connections that clients keep for their next request. Whoever sends on one at the moment at which it is closed
 * gets no answer, and cannot know whether the request was taken. So nothing is closed that was told to stay open: each
 * further answer says that it is the last of its connection, and one that nobody uses has the time that its client was told.
 */
@Injectable()
export class HttpDrain {
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'service'>,
    lifecycle: Lifecycle,
  ) {
    // Registered before all others, as those do so when their modules start: so it comes last, and until then all is answered.
    lifecycle.onDrain('connections that are kept', () => this.drain());
  }

  private async drain(): Promise<void> {
    // The gateway listens on HTTP, so its adapter's server is one of node:http.
    const server = this.adapterHost.httpAdapter.getHttpServer() as Server;
    if (!server.listening) return;
    server.prependListener('request', (_request, response: ServerResponse) => {
      response.setHeader('connection', 'close');
    });
    // Its own close would also close, at once, what nobody uses at this moment.
    const closed = new Promise<void>((resolve) => void NetServer.prototype.close.call(server, () => resolve()));
    const patience = new AbortController();
    const patienceMs = Math.min(server.keepAliveTimeout, (this.config.service.drainSeconds * 1_000) / 2);
    await Promise.race([closed, delay(patienceMs, { signal: patience.signal })]);
    patience.abort();
  }
}
