import { Injectable } from '@nestjs/common';
import { OperationTypeNode } from 'graphql';
import { makeServer, type Server } from 'graphql-ws';
import { FaultLog } from '../observability/fault-log.js';
import { closeCodes, type Session } from '../sessions/session.js';
import { closeReasonOf, SessionsService } from '../sessions/sessions.service.js';
import { LiveOperations, type LiveArgs } from '../streams/live-operations.service.js';
import { ResultFormat } from '../streams/result-format.js';

const initWaitMs = 3_000;
const unknown = { transport: 'websocket', labels: { type: OperationTypeNode.SUBSCRIPTION, field: 'any' } } as const;

/** A session with its socket, as far as an event is sent past the protocol's own messages. */
export interface SocketClient {
  readonly session: Session;
  /** Sends a message whose body others are sent too. */
  sendAround(head: string, body: Buffer, tail: string): void;
}

/** graphql-transport-ws: what each message of the protocol leads to. It knows no socket, only sessions. */
@Injectable()
export class GraphqlSocketServer {
  readonly protocol: Server<SocketClient>;

  constructor(
    private readonly operations: LiveOperations,
    private readonly sessions: SessionsService,
    private readonly format: ResultFormat,
    private readonly faults: FaultLog,
  ) {
    this.protocol = makeServer<{ authorization?: unknown }, SocketClient>({
      connectionInitWaitTimeout: initWaitMs,
      onConnect: ({ extra, connectionParams }) => this.connect(extra.session, connectionParams?.authorization),
      onSubscribe: ({ extra }, id, payload) =>
        this.operations.begin(extra.session, 'websocket', payload, {
          room: extra.session.room,
          // The message `next` of the protocol, around a payload that others may be sent too.
          send: ({ bytes }) => extra.sendAround(`{"id":${JSON.stringify(id)},"type":"next","payload":`, bytes, '}'),
          interrupt: (cause) => extra.session.close(...closeReasonOf(cause)),
        }),
      // onSubscribe has made these arguments.
      execute: (args) => this.operations.execute(args as LiveArgs),
      subscribe: (args) => this.operations.subscribe(args as LiveArgs),
      onNext: (_context, _id, _payload, args, result) => this.format.result((args as LiveArgs).operation, result),
      onError: ({ extra }, _id, _payload, errors) =>
        this.format.errors({ ...unknown, requestId: extra.session.requestId }, errors),
      onComplete: ({ extra }) => this.operations.end(extra.session),
    });
  }

  private async connect(session: Session, given: unknown): Promise<boolean> {
    const authorization = given ?? session.browserAuthorization;
    if (typeof authorization !== 'string') {
      session.close(closeCodes.unauthorized, 'Unauthorized');
      return false;
    }
    try {
      await this.sessions.signIn(session, authorization);
      return true;
    } catch (error) {
      this.faults.report(error, { requestId: session.requestId });
      const [code, reason] = closeReasonOf(error);
      session.close(code, reason);
      return false;
    }
  }
}
