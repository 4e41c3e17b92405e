import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { inflateRawSync } from 'node:zlib';
import { freePort } from './free-port.js';
import { selfSigned } from './self-signed.js';

export interface SamlPerson {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly groups: readonly string[];
}

/** Names of attributes as this provider has them. */
export const samlAttributes = { groups: 'http://schemas.passportjs.com/groups' } as const;

/**
 * A real identity provider (samlp) on a free port of 127.0.0.1, where somebody is signed in already: it answers each request
 * with a page whose form posts the signed response.
 */
export class SamlIdentityProvider implements AsyncDisposable {
  person: SamlPerson = { id: 'ana-1', email: 'ana@example.com', name: 'Ana Silva', groups: ['sales', 'europe'] };

  private constructor(
    private readonly port: number,
    private readonly server: Server,
    readonly certificate: string,
    private readonly privateKey: string,
  ) {}

  static async start(): Promise<SamlIdentityProvider> {
    const { certificate, privateKey } = await selfSigned();
    const server = createServer();
    const provider = new SamlIdentityProvider(await freePort(), server, certificate, privateKey);
    server.on('request', (request, response) => void provider.respond(request, response));
    await new Promise<void>((resolve) => server.listen(provider.port, '127.0.0.1', resolve));
    return provider;
  }

  readonly entityId = 'urn:test:identity-provider';

  get signInUrl(): string {
    return `http://localhost:${this.port}/sso`;
  }

  /** What it answers to the request that a browser was sent with. */
  async answer(address: URL): Promise<{ consumerUrl: string; samlResponse: string }> {
    const { auth } = await import('samlp');
    const consumerUrl = this.consumerUrlOf(address);
    const { id, email, name, groups } = this.person;
    const user = { id, displayName: name, name: {}, emails: [{ value: email }], groups };
    const samlResponse = await new Promise<string>((resolve, reject) => {
      const handle = auth({
        issuer: this.entityId,
        cert: this.certificate,
        key: this.privateKey,
        lifetimeInSeconds: 300,
        recipient: consumerUrl,
        destination: consumerUrl,
        signResponse: true,
        getPostURL: (_audience, _request, _http, done) => done(null, consumerUrl),
        getUserFromRequest: () => user,
        responseHandler: (response) => resolve(response.toString('base64')),
      });
      handle({ method: 'GET', query: Object.fromEntries(address.searchParams) }, undefined, reject);
    });
    return { consumerUrl, samlResponse };
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { consumerUrl, samlResponse } = await this.answer(new URL(request.url ?? '/', this.signInUrl));
      response.setHeader('content-type', 'text/html');
      response.end(
        `<body onload="document.forms[0].submit()"><form method="post" action="${consumerUrl}">` +
          `<input type="hidden" name="SAMLResponse" value="${samlResponse}"></form></body>`,
      );
    } catch (error) {
      response.statusCode = 400;
      response.end(String(error));
    }
  }

  private consumerUrlOf(address: URL): string {
    const request = inflateRawSync(Buffer.from(address.searchParams.get('SAMLRequest') ?? '', 'base64')).toString(
      'utf8',
    );
    const url = /AssertionConsumerServiceURL="([^"]+)"/.exec(request)?.[1];
    if (url === undefined) throw new Error('the request does not say where the answer goes');
    return url;
  }
}
