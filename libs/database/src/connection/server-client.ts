import type pg from 'pg';
import { AnsweringClient } from './answering-client.js';
import type { ServerChoice } from './server-choice.js';

const readOnlyTransaction = '25006';

type ConnectCallback = (error: Error | null, client?: pg.ClientBase) => void;

/** A kind of client for node-postgres's pool, whose connections go to the server that is chosen when they are opened. */
export function serverClient(choice: ServerChoice): typeof AnsweringClient {
  return class ServerClient extends AnsweringClient {
    constructor(config?: ConstructorParameters<typeof AnsweringClient>[0]) {
      super(config);
      const connect = this.connect.bind(this);
      const toChosen = async (): Promise<pg.ClientBase> => {
        const { user, database, password, ssl } = this;
        const settings = { user, database, password, ssl };
        const server = await choice.choose(settings);
        Object.assign(this, server);
        await connect();
        const unwatch = choice.watch({ server, abandon: () => this.connection.stream.destroy() }, settings);
        this.once('end', unwatch);
        return this;
      };
      // The pool asks with a callback; two overloads of one name, of which each branch answers as its own does.
      this.connect = ((tell?: ConnectCallback) => {
        const connected = toChosen();
        if (!tell) return connected;
        connected.then((client) => tell(null, client), tell);
      }) as typeof this.connect;
      // A server that has become a standby without ending its connections.
      this.connection.on('errorMessage', ({ code }: { code?: string }) => {
        if (code !== readOnlyTransaction) return;
        choice.forget();
        // Whoever asked hears of the error first.
        setImmediate(() => void this.end().catch(() => undefined));
      });
    }
  };
}
