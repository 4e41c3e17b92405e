import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { auditRecorded, envelopeCodec, type AuditEntry } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { AuditChainRepository } from '../src/audit/audit-chain.repository.js';
import type { MetadataSuite } from './metadata-suite.js';

/** Brings the entries that wait in metadata's outbox to the chain, as the bus does. */
export async function collectEntries(suite: MetadataSuite): Promise<AuditEntry[]> {
  const rows = await suite.database.query<{ envelope: Buffer }[]>(
    'select envelope from metadata.outbox order by sequence',
  );
  const chains = suite.app.get(AuditChainRepository);
  const collected: AuditEntry[] = [];
  for (const { envelope: bytes } of rows) {
    const envelope = envelopeCodec.decode(bytes);
    if (envelope.type !== auditRecorded.metadata.type) continue;
    const { entries } = auditRecorded.metadata.codec.decode(envelope.payload);
    await chains.append([{ messageId: envelope.id, workspaceId: envelope.workspaceId, entries }]);
    collected.push(...entries);
  }
  return collected;
}

export function anEntry(workspaceId: string, more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    id: newId('auditEntry'),
    workspaceId,
    occurredAt: new Date(),
    action: 'thing.done',
    actor: { kind: 'USER', id: 'usr_1' },
    target: { type: 'thing', id: 'thing_1' },
    outcome: 'SUCCESS',
    requestId: 'req_1',
    service: 'auth',
    ...more,
  };
}

/** A receiver of webhooks that keeps what it was sent, and answers as it is told to. */
export class BatchReceiver implements AsyncDisposable {
  readonly bodies: string[] = [];
  readonly headers: Record<string, unknown>[] = [];
  status = 204;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<BatchReceiver> {
    const server = createServer();
    const receiver = new BatchReceiver(server);
    server.on('request', (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        receiver.bodies.push(body);
        receiver.headers.push(request.headers);
        response.writeHead(receiver.status).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${portOf(this.server)}/audit`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** A syslog server that takes octet-counted messages by TCP, and breaks off as many connections as it is told to. */
export class SyslogServer implements AsyncDisposable {
  readonly messages: string[] = [];
  breakOff = 0;

  private constructor(private readonly server: TcpServer) {}

  static async start(): Promise<SyslogServer> {
    const server = createTcpServer();
    const syslog = new SyslogServer(server);
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      if (syslog.breakOff > 0) {
        syslog.breakOff -= 1;
        socket.once('data', () => socket.resetAndDestroy());
        return;
      }
      const chunks: Buffer[] = [];
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.on('end', () => syslog.messages.push(...unframed(Buffer.concat(chunks))));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return syslog;
  }

  get url(): string {
    return `syslog+tcp://127.0.0.1:${portOf(this.server)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function portOf(server: Server | TcpServer): number {
  // A server that listens on TCP has an address of it.
  return (server.address() as AddressInfo).port;
}

function unframed(bytes: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(' ', at);
    const end = space + 1 + Number(bytes.toString('ascii', at, space));
    messages.push(bytes.toString('utf8', space + 1, end));
    at = end;
  }
  return messages;
}
