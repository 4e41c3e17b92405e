import type { ApiClient } from './api-client.js';
import type { RootField } from './served-schema.js';
import { SocketClosed, subscribe, SubscriptionError } from './subscription.js';

/** Codes of failures, wherever they are told, or OK. */
export interface Outcome {
  readonly code: string;
  /** What the field answered; null where it did not. */
  readonly answer: Record<string, unknown> | null;
}

/** A subscription that says nothing for so long is taken for open. */
const silenceMs = 300;

/** What a caller is told who asks for a root field. */
export async function outcomeOf(
  client: ApiClient,
  { document, field, operation }: RootField,
  args: Record<string, unknown>,
): Promise<Outcome> {
  if (operation === 'subscription') return { code: await codeOfSubscription(client, document, args), answer: null };
  const { data, errors } = await client.send<Record<string, Record<string, unknown> | null>>(document, args);
  const [error] = errors;
  if (error) return { code: String(error.extensions?.code), answer: null };
  const answer = data?.[field] ?? null;
  return { code: codesIn(answer).at(0) ?? (answer === null ? 'NULL' : 'OK'), answer };
}

function codesIn(answer: unknown): string[] {
  const { errors = [], results = [] } = (answer ?? {}) as { errors?: { code: string }[]; results?: unknown[] };
  return [...errors.map(({ code }) => code), ...results.flatMap(codesIn)];
}

async function codeOfSubscription(client: ApiClient, document: string, args: Record<string, unknown>): Promise<string> {
  const events = subscribe(client, document, args);
  const first = events.next().then(
    () => 'OK',
    (error: unknown) => {
      if (error instanceof SocketClosed && error.code === 4401) return 'UNAUTHENTICATED';
      if (!(error instanceof SubscriptionError)) return String(error);
      return String((JSON.parse(error.message) as { extensions?: { code?: string } }[])[0]?.extensions?.code);
    },
  );
  const silence = new Promise<string>((resolve) => void setTimeout(resolve, silenceMs, 'OK'));
  const outcome = await Promise.race([first, silence]);
  void events.return(undefined);
  return outcome;
}
