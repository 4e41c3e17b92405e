import type { Server, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { InjectConfig } from '#libs/config';
import { delay } from '#libs/kernel';
import { Lifecycle } from '#libs/service';
import type { GatewayConfig } from '../gateway.config.js';

/**
 * Longer than proxies keep a connection that nobody uses (60 s by nginx and by most balancers), so that it is they who close it.
 * Whoever closes one may cross with the next request on it.
 */
const keepAliveMs = 65_000;

/**
 * The end of the connections that clients keep for their next request. Whoever sends on one at the moment at which it is closed
 * gets no answer, and cannot know whether the request was taken. So nothing is closed at once: each
 * further answer says that it is the last of its connection, and one that nobody uses is kept for half of the draining time.
 */
@Injectable()
export class HttpDrain implements OnApplicationBootstrap {
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'service'>,
    lifecycle: Lifecycle,
  ) {
    // Registered before all others, as those do so when their modules start: so it comes last, and until then all is answered.
    lifecycle.onDrain('connections that are kept', () => this.drain());
  }

  onApplicationBootstrap(): void {
    this.server.keepAliveTimeout = keepAliveMs;
  }

  /** The gateway listens on HTTP, so its adapter's server is one of node:http. */
  private get server(): Server {
    return this.adapterHost.httpAdapter.getHttpServer() as Server;
  }

  private async drain(): Promise<void> {
    const { server } = this;
    if (!server.listening) return;
    server.prependListener('request', (_request, response: ServerResponse) => {
      response.setHeader('connection', 'close');
    });
    // Its own close would also close, at once, what nobody uses at this moment.
    const closed = new Promise<void>((resolve) => void NetServer.prototype.close.call(server, () => resolve()));
    const patience = new AbortController();
    const patienceMs = Math.min(keepAliveMs, (this.config.service.drainSeconds * 1_000) / 2);
    await Promise.race([closed, delay(patienceMs, { signal: patience.signal })]);
    patience.abort();
  }
}
