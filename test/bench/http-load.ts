import { Agent, request } from 'node:http';

/** A POST of the same body, over and over. */
export interface Repeated {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Throws where an answer is not the one that is measured: a fast run may be a run of errors. */
  check(text: string): void;
}

/** Milliseconds of each request, one at a time. */
export async function oneAtATime(repeated: Repeated, count: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: number[] = [];
  try {
    for (let index = 0; index < count; index += 1) {
      const begun = performance.now();
      await post(repeated, agent);
      times.push(performance.now() - begun);
    }
  } finally {
    agent.destroy();
  }
  return times;
}

/** Answers a second over so many connections, each of which asks again as soon as it has its answer. */
export async function answersPerSecond(repeated: Repeated, connections: number, seconds: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const begun = performance.now();
  const end = begun + seconds * 1_000;
  let answers = 0;
  const one = async (): Promise<void> => {
    while (performance.now() < end) {
      await post(repeated, agent);
      answers += 1;
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, one));
  } finally {
    agent.destroy();
  }
  return answers / ((performance.now() - begun) / 1_000);
}

/** Asks once. */
export function post({ url, headers, body, check }: Repeated, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method: 'POST', agent, headers: { 'content-type': 'application/json', ...headers } },
      (response) => {
        response.setEncoding('utf8');
        let text = '';
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          try {
            check(text);
            resolve();
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
        });
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}
