/** As much of a browser as a sign-in needs: it keeps cookies for each host, and follows redirects as far as it is told. */
export class HttpBrowser {
  private readonly jars = new Map<string, Map<string, string>>();

  /** One request, without following where it leads. */
  async visit(address: string | URL, init: RequestInit = {}): Promise<Response> {
    const url = new URL(address);
    const jar = this.jarOf(url);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = new Headers(init.headers);
    if (cookie !== '') headers.set('cookie', cookie);
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const header of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(header) ?? [];
      if (value === '') jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  }

  /** Goes on while it is led to addresses that `follows` takes. @returns the last answer, and where it leads */
  async follow(
    address: string | URL,
    follows: (next: URL) => boolean = () => true,
  ): Promise<{ response: Response; at: URL; next: URL | undefined }> {
    let at = new URL(address);
    for (let hop = 0; hop < 20; hop += 1) {
      const response = await this.visit(at);
      const location = response.headers.get('location');
      if (location === null) return { response, at, next: undefined };
      const next = new URL(location, at);
      if (!follows(next)) return { response, at, next };
      at = next;
    }
    throw new Error('it goes in circles');
  }

  cookie(address: string | URL, name: string): string | undefined {
    return this.jarOf(new URL(address)).get(name);
  }

  setCookie(address: string | URL, name: string, value: string): void {
    this.jarOf(new URL(address)).set(name, value);
  }

  // By port, too, as the issuer and the gateway are on one host here.
  private jarOf({ host }: URL): Map<string, string> {
    const jar = this.jars.get(host) ?? new Map<string, string>();
    this.jars.set(host, jar);
    return jar;
  }
}
