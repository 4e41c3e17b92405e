export interface ApiError {
  message: string;
  path?: (string | number)[];
  extensions?: { code?: string; requestId?: string; retryable?: boolean } & Record<string, unknown>;
}

export interface Answer<T> {
  status: number;
  headers: Headers;
  data: T | null | undefined;
  errors: ApiError[];
  extensions: Record<string, unknown>;
}

export interface ApiAddress {
  url: string;
  websocketUrl: string;
}

/** One caller at one gateway: an address and a credential. */
export class ApiClient {
  constructor(
    readonly address: ApiAddress,
    readonly authorization: string | undefined = undefined,
  ) {}

  /** The same gateway, another caller. */
  as(authorization: string | undefined): ApiClient {
    return new ApiClient(this.address, authorization);
  }

  /** The same caller, another gateway. */
  at(address: ApiAddress): ApiClient {
    return new ApiClient(address, this.authorization);
  }

  /** The data of an operation; throws where there are errors. */
  async request<T>(query: string, variables: Record<string, unknown> = {}): Promise<T> {
    const { data, errors, status } = await this.send<T>(query, variables);
    if (errors.length > 0) throw new Error(errors.map((error) => JSON.stringify(error)).join('; '));
    if (data === null || data === undefined) throw new Error(`an answer without data (HTTP ${status})`);
    return data;
  }

  /** The whole answer, errors and status included. */
  async send<T>(
    query: string,
    variables: Record<string, unknown> = {},
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    return readAnswer<T>(await this.post(JSON.stringify({ query, variables }), headers));
  }

  /** A body as it is, for what no well-behaved client would send. */
  post(body: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.address.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.authorization === undefined ? {} : { authorization: this.authorization }),
        ...headers,
      },
      body,
      signal: AbortSignal.timeout(60_000),
    });
  }
}

/** Reads what GraphQL over HTTP answers; a body that is not JSON counts as no answer at all. */
export async function readAnswer<T>(response: Response): Promise<Answer<T>> {
  const text = await response.text();
  let body: Partial<Pick<Answer<T>, 'data' | 'errors' | 'extensions'>>;
  try {
    // GraphQL over HTTP gives every JSON answer this shape.
    body = JSON.parse(text) as typeof body;
  } catch {
    body = {};
  }
  const { data, errors = [], extensions = {} } = body;
  return { status: response.status, headers: response.headers, data, errors, extensions };
}
