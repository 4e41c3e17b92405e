import { federationRequests, type ResponseOf } from '#libs/contracts';
import type { AuthHarness } from './auth-harness.js';

type Answer = ResponseOf<typeof federationRequests.answerSso>;
type Asked = Parameters<typeof federationRequests.answerSso.request.encode>[0];

export const gatewayOrigin = 'http://127.0.0.1:4000';

/** A browser on its way through a sign-in: it keeps cookies, those of ours and those of the provider. */
export class SsoBrowser {
  flowCookie: string | undefined;
  sessionCookie: string | undefined;
  private readonly cookies = new Map<string, string>();

  constructor(
    private readonly auth: AuthHarness,
    readonly providerId: string,
  ) {}

  /** Begins to sign in. @returns where the provider is asked */
  async begin(returnTo = '/'): Promise<URL> {
    return locationOf(await this.ask('GET', 'login', { returnTo }));
  }

  /** Signs in at the provider. @returns the address that it comes back to */
  async signInAt(location: URL, account: string): Promise<URL> {
    let next = location;
    let response = await this.visit(next);
    for (let hop = 0; hop < 10; hop += 1) {
      const to = response.headers.get('location');
      if (to === null) {
        const body = new URLSearchParams({ account });
        response = await this.visit(next, { method: 'POST', body });
        continue;
      }
      next = new URL(to, next);
      if (next.origin !== location.origin) return next;
      response = await this.visit(next);
    }
    throw new Error('the provider goes in circles');
  }

  /** Comes back from the provider. @returns where it goes then */
  async finish(callback: URL): Promise<string> {
    return locationOf(await this.ask('GET', 'callback', { query: callback.searchParams.toString() })).href;
  }

  /** The whole way. */
  async signIn(account: string, returnTo = '/'): Promise<string> {
    return this.finish(await this.signInAt(await this.begin(returnTo), account));
  }

  async ask(method: string, action: string, more: Partial<Asked> = {}): Promise<Answer> {
    const answer = await this.auth.ask(federationRequests.answerSso, {
      ...{ providerId: this.providerId, action, method, query: '', body: '', origin: gatewayOrigin, returnTo: '/' },
      ...{ flowCookie: this.flowCookie, sessionCookie: this.sessionCookie, fromOwnPage: false },
      ...{ clientAddress: '127.0.0.1', peerAddress: '127.0.0.1', headers: [], userAgent: '' },
      ...more,
    });
    this.flowCookie = answer.flowCookie ?? this.flowCookie;
    if (answer.sessionCookie !== undefined) this.sessionCookie = answer.sessionCookie || undefined;
    return answer;
  }

  private async visit(url: URL, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { cookie } });
    for (const header of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(header) ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  }
}

function locationOf({ answer }: Answer): URL {
  if (answer.case !== 'redirect') throw new Error(`it does not go on: ${String(answer.case)}`);
  return new URL(answer.value.location, gatewayOrigin);
}
