import { z } from 'zod';
import {
  booleanText,
  defineConfig,
  flagSetting,
  integerText,
  listText,
  kmsSettings,
  redisSettings,
  secret,
  serviceSettings,
  setting,
  type ConfigOf,
} from '#libs/config';
import { MasterKeys } from '#libs/encryption';
import { resultStoreSettings } from '#libs/result-store';
import { CursorKeys } from './cursors/cursor-keys.js';

const origin = z.string().refine((text) => text === '*' || (URL.canParse(text) && new URL(text).origin === text), {
  message: 'must be origins such as https://app.example.com, or *',
});

const publicUrl = z.string().refine((text) => URL.canParse(text) && /^https?:\/\/[^?#]*[^/?#]$/.test(text), {
  message: 'must be an address such as https://sluice.example.com, with no slash at its end',
});

export const gatewayConfig = defineConfig({
  service: serviceSettings('gateway', { metricsPort: 4100 }),
  redis: redisSettings,
  store: resultStoreSettings,
  http: {
    host: setting('SLUICE_GATEWAY_HOST', z.string(), {
      default: '127.0.0.1',
      describe: 'The address that the public port listens on.',
    }),
    port: setting('SLUICE_GATEWAY_PORT', integerText(0, 65_535), {
      fallbacks: ['SLUICE_PORT'],
      default: 4000,
      describe: 'The public port, for HTTP and WebSocket at /graphql; 0 takes a free one.',
    }),
    publicUrl: setting('SLUICE_GATEWAY_PUBLIC_URL', publicUrl.optional(), {
      describe:
        'Where clients find the gateway, such as https://sluice.example.com, for the addresses of downloads. Not set: as the request names it.',
    }),
    trustedProxies: setting('SLUICE_GATEWAY_TRUSTED_PROXIES', listText, {
      default: '',
      describe: 'The proxies whose X-Forwarded-* is believed: addresses, subnets such as 10.0.0.0/8, or loopback.',
    }),
    allowedOrigins: setting('SLUICE_GATEWAY_ALLOWED_ORIGINS', listText.pipe(z.array(origin)), {
      default: '',
      describe: 'The origins of web pages that may use the gateway, beside its own; * for any.',
    }),
    bodyBytesMax: setting('SLUICE_GATEWAY_BODY_BYTES_MAX', integerText(1_024, 64 * 1024 * 1024), {
      default: 1024 * 1024,
      describe: 'The most bytes of a request.',
    }),
  },
  limits: {
    depth: setting('SLUICE_GATEWAY_LIMIT_DEPTH', integerText(4, 50), {
      default: 14,
      describe: 'How deep an operation may nest.',
    }),
    aliases: setting('SLUICE_GATEWAY_LIMIT_ALIASES', integerText(0, 1_000), {
      default: 60,
      describe: 'The most aliases of an operation.',
    }),
    directives: setting('SLUICE_GATEWAY_LIMIT_DIRECTIVES', integerText(0, 1_000), {
      default: 30,
      describe: 'The most directives of an operation, and a tenth of it at one place.',
    }),
    fields: setting('SLUICE_GATEWAY_LIMIT_FIELDS', integerText(10, 100_000), {
      default: 450,
      describe: 'The most fields of an operation, each fragment counted wherever it is used.',
    }),
    tokens: setting('SLUICE_GATEWAY_LIMIT_TOKENS', integerText(100, 100_000), {
      default: 3_000,
      describe: 'The most tokens of a document.',
    }),
  },
  flags: { keptAnswers: flagSetting('keptAnswers') },
  introspection: setting('SLUICE_GATEWAY_INTROSPECTION', booleanText, {
    default: true,
    describe: 'Whether the schema can be asked for by introspection.',
  }),
  sessionCookie: setting('SLUICE_GATEWAY_SESSION_COOKIE', z.enum(['session', 'browser']), {
    default: 'session',
    describe:
      'How long a browser keeps the cookie of its session: as long as the session can last, or until the browser is closed.',
  }),
  cursorKeys: secret(
    'SLUICE_GATEWAY_CURSOR_KEYS',
    z.string().transform((text, context) => {
      const keys = CursorKeys.parse(text);
      if (keys) return keys;
      context.addIssue({ code: 'custom', message: 'must be such as k1:<base64 of 32 bytes>,k2:…' });
      return z.NEVER;
    }),
    {
      describe:
        'The keys that authenticate cursors, the same for all gateways, such as k1:<base64 of 32 bytes>,k2:…; the first signs.',
    },
  ),
  kms: kmsSettings,
  masterKeys: secret(
    'SLUICE_MASTER_KEYS',
    z.string().transform((text, context) => {
      try {
        return MasterKeys.parse(text);
      } catch {
        context.addIssue({ code: 'custom', message: 'must be such as k1:<base64 of 32 bytes>,k2:…' });
        return z.NEVER;
      }
    }),
    { describe: 'The keys that open the pages of results, `<id>:<base64 of 32 bytes>` with commas between.' },
  ),
  rows: {
    cacheBytesMax: setting('SLUICE_GATEWAY_PAGE_CACHE_BYTES_MAX', integerText(0, 8 * 1024 ** 3), {
      default: 16 * 1024 * 1024,
      describe: 'The most bytes of unpacked pages of rows that are kept in memory.',
    }),
    responseBytesMax: setting('SLUICE_GATEWAY_ROWS_BYTES_MAX', integerText(64 * 1024, 256 * 1024 * 1024), {
      default: 8 * 1024 * 1024,
      describe: 'The most bytes of rows in one page of an answer; a page then ends early, with at least one row.',
    }),
    eventBytesMax: setting('SLUICE_GATEWAY_EVENT_BYTES_MAX', integerText(16 * 1024, 64 * 1024 * 1024), {
      default: 512 * 1024,
      describe: 'The most bytes of rows in one pushed event, with at least one row.',
    }),
  },
  downloads: {
    addressSeconds: setting('SLUICE_GATEWAY_DOWNLOAD_ADDRESS_SECONDS', integerText(5, 3_600), {
      default: 300,
      describe: "How long the address of a download is good at most; never longer than its maker's access token.",
    }),
    escapesFormulas: setting('SLUICE_GATEWAY_DOWNLOAD_ESCAPE_FORMULAS', booleanText, {
      default: true,
      describe:
        "Whether text in CSV and TSV that a spreadsheet would take for a formula gets a ' in front, unless the download says otherwise.",
    }),
    max: setting('SLUICE_GATEWAY_DOWNLOADS_MAX', integerText(1, 10_000), {
      default: 32,
      live: true,
      describe: 'The most downloads under way at one gateway.',
    }),
    perUserMax: setting('SLUICE_GATEWAY_DOWNLOADS_PER_USER_MAX', integerText(1, 10_000), {
      default: 4,
      live: true,
      describe: 'The most downloads of one user under way at one gateway.',
    }),
    idleSeconds: setting('SLUICE_GATEWAY_DOWNLOAD_IDLE_SECONDS', integerText(1, 3_600), {
      default: 60,
      describe: 'A download is broken off when its client takes nothing for so long.',
    }),
    secondsMax: setting('SLUICE_GATEWAY_DOWNLOAD_SECONDS_MAX', integerText(1, 86_400), {
      default: 3_600,
      describe: 'How long one download may take.',
    }),
  },
  sockets: {
    max: setting('SLUICE_GATEWAY_SOCKETS_MAX', integerText(1, 1_000_000), {
      default: 20_000,
      live: true,
      describe: 'The most WebSockets and event streams of one gateway.',
    }),
    perCallerMax: setting('SLUICE_GATEWAY_SOCKETS_PER_CALLER_MAX', integerText(1, 1_000_000), {
      default: 100,
      live: true,
      describe: 'The most WebSockets and event streams of one caller at one gateway.',
    }),
    strangersMax: setting('SLUICE_GATEWAY_SOCKETS_SIGNED_OUT_PER_ADDRESS_MAX', integerText(1, 1_000_000), {
      default: 500,
      live: true,
      describe:
        'The most WebSockets of one network address, or one /64 of IPv6, that have not said yet whose they are, for which they have 3 s.',
    }),
    subscriptionsMax: setting('SLUICE_GATEWAY_SUBSCRIPTIONS_PER_SOCKET_MAX', integerText(1, 100_000), {
      default: 200,
      describe: 'The most operations under way on one WebSocket.',
    }),
    bufferBytesMax: setting('SLUICE_GATEWAY_SOCKET_BUFFER_BYTES_MAX', integerText(64 * 1024, 64 * 1024 * 1024), {
      default: 256 * 1024,
      describe: 'While a client has not taken this many bytes, no further event is made for its connection.',
    }),
    bytesMax: setting('SLUICE_GATEWAY_SOCKET_BYTES_MAX', integerText(64 * 1024, 1024 ** 3), {
      default: 16 * 1024 * 1024,
      describe: 'A connection with more bytes that its client has not taken is closed, and the client resumes.',
    }),
    bytesTotalMax: setting('SLUICE_GATEWAY_SOCKETS_BYTES_MAX', integerText(1024 * 1024, 64 * 1024 ** 3), {
      default: 128 * 1024 * 1024,
      describe: 'The same for all connections of one gateway together; the fullest are closed.',
    }),
    pingSeconds: setting('SLUICE_GATEWAY_PING_SECONDS', integerText(1, 600), {
      default: 12,
      describe: 'How often a WebSocket is pinged; one that shows no life until the next ping is closed.',
    }),
  },
});

export type GatewayConfig = ConfigOf<typeof gatewayConfig>;
