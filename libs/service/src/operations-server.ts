import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HealthRegistry, MetricsRegistry } from '#libs/telemetry';

type Route = (response: ServerResponse, request: IncomingMessage) => Promise<void>;

export interface OperationsServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * The port for operators, apart from the public one: `/healthz` (the process turns over), `/readyz` (its dependencies
 * answer; 503 with the reasons where not) and `/metrics` (Prometheus).
 */
export async function startOperationsServer(options: {
  host: string;
  port: number;
  health: HealthRegistry;
  metrics: MetricsRegistry;
}): Promise<OperationsServer> {
  const { host, port, health, metrics } = options;
  const routes: Readonly<Record<string, Route>> = {
    '/healthz': async (response) => sendJson(response, 200, { ok: true }),
    '/readyz': async (response) => {
      const readiness = await health.readiness();
      sendJson(response, readiness.ok ? 200 : 503, readiness);
    },
    '/metrics': async (response, request) => {
      const { contentType, body } = await metrics.expose(request.headers.accept);
      response.writeHead(200, { 'content-type': contentType }).end(body);
    },
  };
  const server = createServer((request, response) => {
    answer(routes, request, response).catch(() => response.destroy());
  });
  await listen(server, host, port);
  return {
    // Listening on TCP, so the address is not a pipe's name.
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  routes: Readonly<Record<string, Route>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (request.method !== 'GET' || !route)
    sendJson(response, 404, { error: 'ask /healthz, /readyz or /metrics by GET' });
  else await route(response, request);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
