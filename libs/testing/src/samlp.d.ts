/** As far as the tests use it; the package has no types of its own. */
declare module 'samlp' {
  interface SamlpRequest {
    readonly method: string;
    readonly query: Readonly<Record<string, string>>;
  }

  interface SamlpOptions {
    readonly issuer: string;
    readonly cert: string;
    readonly key: string;
    readonly lifetimeInSeconds: number;
    readonly recipient: string;
    readonly destination: string;
    readonly signResponse: boolean;
    getPostURL(
      audience: string,
      request: unknown,
      http: SamlpRequest,
      done: (error: Error | null, url: string) => void,
    ): void;
    getUserFromRequest(): unknown;
    responseHandler(response: Buffer): void;
  }

  export function auth(
    options: SamlpOptions,
  ): (request: SamlpRequest, response: unknown, next: (error: Error) => void) => void;
}
