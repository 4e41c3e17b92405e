import { z } from 'zod';
import {
  databaseSettings,
  defineConfig,
  integerText,
  listText,
  kmsSettings,
  redisSettings,
  secret,
  serviceSettings,
  setting,
  urlText,
  type ConfigOf,
} from '#libs/config';
import { MasterKeys } from '#libs/encryption';
import { accessTokenForm, isRoleName } from '#libs/identity';
import { isNetwork } from '#libs/outbound';
import { parseSigningKeys } from './signing/signing-keys.js';
import { slugPattern } from './workspace/slug.js';

const day = 86_400;

/** Networks as `10.0.0.0/8` or `fd00::/8`. */
const networksText = listText.refine((networks) => networks.every(isNetwork), {
  message: 'must be networks in CIDR notation, such as 10.0.0.0/8',
});

export const authConfig = defineConfig({
  service: serviceSettings('auth', { metricsPort: 4101 }),
  redis: redisSettings,
  database: databaseSettings('auth'),
  kms: kmsSettings,
  masterKeys: secret(
    'SLUICE_MASTER_KEYS',
    parsedBy((text) => MasterKeys.parse(text)),
    {
      describe: 'The master keys, <id>:<base64 of 32 bytes> between commas; the first one encrypts, all decrypt.',
    },
  ),
  signingKeys: secret('SLUICE_AUTH_SIGNING_KEYS', parsedBy(parseSigningKeys), {
    describe:
      'The Ed25519 private keys that sign access tokens, as a JWK, a JWK set or PEM; the first one signs, all are published.',
  }),
  accessTokenTtlSeconds: setting(
    'SLUICE_AUTH_ACCESS_TOKEN_TTL_SECONDS',
    integerText(30, accessTokenForm.lifetimeMaxSeconds),
    { default: 300, describe: 'How long an access token is good.' },
  ),
  session: {
    ttlSeconds: setting('SLUICE_AUTH_SESSION_TTL_SECONDS', integerText(300, 365 * day), {
      default: 30 * day,
      describe: 'How long a session lasts at most; then its user signs in again.',
    }),
    idleSeconds: setting('SLUICE_AUTH_SESSION_IDLE_SECONDS', integerText(60, 365 * day), {
      default: 7 * day,
      describe: 'How long a session lasts without being refreshed.',
    }),
  },
  scim: {
    roles: setting(
      'SLUICE_AUTH_SCIM_ROLES',
      listText.refine((names) => names.every(isRoleName)),
      {
        default: 'viewer',
        describe:
          'The roles, between commas, of users that an identity provider makes by SCIM; not those of an administrator.',
      },
    ),
  },
  signIn: {
    failuresMax: setting('SLUICE_AUTH_SIGN_IN_FAILURES_MAX', integerText(1, 1_000), {
      default: 10,
      describe: 'How many failed sign-ins one email address may have in a window before it has to wait.',
    }),
    addressFailuresMax: setting('SLUICE_AUTH_SIGN_IN_ADDRESS_FAILURES_MAX', integerText(1, 100_000), {
      default: 300,
      describe: 'How many failed sign-ins may come from one network address, or one /64 of IPv6, in a window.',
    }),
    passwordWorkspaces: setting('SLUICE_AUTH_PASSWORD_WORKSPACES', listText, {
      default: '',
      describe:
        'Slugs of workspaces, between commas, where passwords are good although single sign-on is enforced: the way back in while no provider works.',
    }),
    windowSeconds: setting('SLUICE_AUTH_SIGN_IN_WINDOW_SECONDS', integerText(1, day), {
      default: 300,
      describe: 'The window in which failed sign-ins are counted.',
    }),
  },
  accountUrl: setting('SLUICE_AUTH_ACCOUNT_URL', urlText('http:', 'https:'), {
    default: 'http://localhost:4000/account',
    describe:
      'The page of your frontend that sets passwords: links are <it>#reset=<token> and <it>#invitation=<token>.',
  }),
  passwordTokens: {
    resetTtlSeconds: setting('SLUICE_AUTH_RESET_TTL_SECONDS', integerText(60, day), {
      default: 3_600,
      describe: 'How long a link to reset a password is good.',
    }),
    invitationTtlSeconds: setting('SLUICE_AUTH_INVITATION_TTL_SECONDS', integerText(60, 30 * day), {
      default: 3 * day,
      describe: 'How long an invitation is good.',
    }),
  },
  mail: {
    smtpUrl: secret('SLUICE_AUTH_SMTP_URL', urlText('smtp:', 'smtps:').optional(), {
      describe:
        'The mail server, such as smtps://user:password@mail.example.com. Not set: no mail is sent, and administrators are given the links.',
    }),
    from: setting('SLUICE_AUTH_MAIL_FROM', z.string(), {
      default: 'Sluice <sluice@localhost>',
      describe: 'The sender of mails.',
    }),
  },
  providers: {
    allowedNetworks: setting('SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS', networksText, {
      default: '',
      describe:
        'Networks in CIDR notation, between commas, that identity providers may lie in although they are not public, also by plain HTTP.',
    }),
    timeoutMs: setting('SLUICE_AUTH_PROVIDER_TIMEOUT_MS', integerText(100, 60_000), {
      default: 5_000,
      describe: 'How long an identity provider may take to answer.',
    }),
  },
  bootstrap: {
    workspace: setting('SLUICE_AUTH_BOOTSTRAP_WORKSPACE', z.string().regex(slugPattern).optional(), {
      describe: 'The slug of the first workspace, made at start where there is no user yet.',
    }),
    email: setting('SLUICE_AUTH_BOOTSTRAP_EMAIL', z.string().optional(), {
      describe: 'The email address of its administrator.',
    }),
    password: secret('SLUICE_AUTH_BOOTSTRAP_PASSWORD', z.string().optional(), {
      describe: "The administrator's password; it is read only where there is no user yet.",
    }),
  },
});

export type AuthConfig = ConfigOf<typeof authConfig>;

/** A setting that is read by a parser which throws. */
function parsedBy<T>(parse: (text: string) => T): z.ZodType<T> {
  return z.string().transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : 'it cannot be read' });
      return z.NEVER;
    }
  });
}
