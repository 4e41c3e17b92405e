const secretNames =
  /^(authorization|cookie|set-cookie|.*password.*|.*secret.*|.*token.*|.*api_?key|.*private_?key|wrapped_?key|ciphertext|master_?keys?|credentials?|parameters|parameter_?values|values|binds)$/i;
const credentialsInUrl = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/?#@]*@/gi;
const bearer = /\b(bearer|key)\s+[A-Za-z0-9._~+/=-]{12,}/gi;
/** Keys, refresh tokens, and the tokens by which passwords are set. */
const sluiceKey = /\bsl[kpr]_[A-Za-z0-9_-]+/g;
/** What a key is known by, and no secret of it. */
const keyPrefix = /^slk_[0-9a-f]{12}$/;
/** Whoever has the signature of an address has what it leads to. */
const signature = /\b(signature=)[A-Za-z0-9_%.~+/=-]+/gi;
const jwt = /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g;

/** What PostgreSQL puts beside an error's text: whole rows (`Failing row contains (…)`), keys and bound values. */
const rowsInErrors: ReadonlySet<string> = new Set(['detail', 'where']);

const hidden = '[redacted]';
const depthMax = 6;
const itemsMax = 50;
const textMax = 8_000;

/** Text without credentials: of addresses, headers, keys and tokens. */
export function redactText(text: string): string {
  const short = text.length > textMax ? `${text.slice(0, textMax)}… (${text.length} characters)` : text;
  return short
    .replace(credentialsInUrl, `$1${hidden}@`)
    .replace(signature, `$1${hidden}`)
    .replace(jwt, hidden)
    .replace(sluiceKey, (key) => (keyPrefix.test(key) ? key : hidden))
    .replace(bearer, `$1 ${hidden}`);
}

/**
 * A copy of what is to be logged in which nothing secret is left: members with a name that speaks of secrets or of
 * parameter values are hidden at any depth, and texts lose their credentials. Bounded in depth, items and length.
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (depth >= depthMax) return '[deep]';
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  if (value instanceof Error) return redactError(value, depth);
  if (Array.isArray(value)) return value.slice(0, itemsMax).map((item) => redact(item, depth + 1));
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value).slice(0, itemsMax)) {
    copy[name] = secretNames.test(name) && member !== null && member !== undefined ? hidden : redact(member, depth + 1);
  }
  return copy;
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const own: Record<string, unknown> = {};
  for (const name of Object.keys(error)) {
    const member: unknown = Reflect.get(error, name);
    own[name] = rowsInErrors.has(name) && typeof member === 'string' ? hidden : member;
  }
  return {
    ...(redact({ ...own, cause: undefined }, depth) as Record<string, unknown>),
    type: error.name,
    message: redactText(error.message),
    stack: error.stack === undefined ? undefined : redactText(error.stack),
    ...(error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) }),
  };
}
