import { request, type Agent } from 'node:http';

interface Answer {
  readonly status: number;
  readonly location: URL | undefined;
  readonly text: string;
}

/** As much of a browser as a sign-in takes, so lean that it is not what is measured: cookies of each host, and redirects. */
export class Visitor {
  private readonly cookies = new Map<string, Map<string, string>>();

  private readonly agent: Agent;

  constructor(agent: Agent) {
    this.agent = agent;
  }

  visit(url: URL, form?: Record<string, string>): Promise<Answer> {
    const jar = this.cookies.get(url.host) ?? new Map<string, string>();
    this.cookies.set(url.host, jar);
    const body = form && new URLSearchParams(form).toString();
    const headers = {
      ...(jar.size > 0 ? { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    };
    return new Promise((resolve, reject) => {
      const method = body === undefined ? 'GET' : 'POST';
      const sent = request(url, { method, agent: this.agent, headers }, (response) => {
        for (const line of response.headers['set-cookie'] ?? []) keep(jar, line);
        const { statusCode: status = 0, headers: given } = response;
        const location = given.location === undefined ? undefined : new URL(given.location, url);
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status, location, text }));
        response.on('error', reject);
      });
      sent.on('error', (error: NodeJS.ErrnoException) => {
        // A connection that the server closed, having been idle, while this was under way to it.
        if (sent.reusedSocket && error.code === 'ECONNRESET') resolve(this.visit(url, form));
        else reject(error);
      });
      sent.end(body);
    });
  }

  /** Goes where it is led, until the next address is one that `isEnd` takes. @returns that address, which it does not visit */
  async follow(from: URL, isEnd: (next: URL) => boolean): Promise<URL> {
    let at = from;
    for (let hop = 0; hop < 10; hop += 1) {
      if (isEnd(at)) return at;
      const { status, location, text } = await this.visit(at);
      if (!location) throw new Error(`${at.pathname} answered ${status}: ${text.slice(0, 300)}`);
      at = location;
    }
    throw new Error('it goes in circles');
  }
}

function keep(jar: Map<string, string>, line: string): void {
  const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
  if (value === '') jar.delete(name);
  else jar.set(name, value);
}
