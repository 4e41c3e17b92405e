import type { Socket } from 'node:net';
import { Redis } from 'ioredis';
import type { Fault } from '../examination.js';
import { isLocal, settingOf, type RedisSubject } from './redis-subject.js';

const dayMs = 86_400_000;
const probeMs = 2_000;

/** Who can reach the server, and what they need for it. */
export const accessChecks: Readonly<Record<string, (subject: RedisSubject) => Promise<Fault[]> | Fault[]>> = {
  'redis.password': async (subject) => {
    const why = 'Whoever reaches the port reads sessions and questions, and may write orders for the services.';
    const mend = 'redis-cli ACL SETUSER default off; give each service its user of deploy/redis/users.acl';
    if (await answersStrangers(subject)) {
      const severity = isLocal(subject) ? 'NOTICE' : 'CRITICAL';
      return [{ severity, what: 'It answers without a password.', why, mend }];
    }
    const { password } = subject.client.options;
    if (password && password.length < subject.limits.passwordLengthMin) {
      const what = `The password has ${password.length} characters.`;
      return [
        { severity: 'WARNING', what, why: 'Redis takes a million guesses a second.', mend: 'redis-cli ACL GENPASS' },
      ];
    }
    return [];
  },

  'redis.exposure': async (subject) => {
    const [bind = '', isProtected] = [await settingOf(subject, 'bind'), await settingOf(subject, 'protected-mode')];
    const isOpen = bind === '' || bind.split(' ').some((address) => /^-?(\*|0\.0\.0\.0|::)$/.test(address));
    if (!isOpen) return [];
    const isClosed = isProtected === 'yes' || !(await answersStrangers(subject));
    return [
      {
        severity: isClosed ? 'NOTICE' : 'CRITICAL',
        what: `It listens on every address (bind ${bind || 'is empty'}).`,
        why: 'A Redis that the Internet reaches is found by scanners within hours.',
        mend: 'redis-cli CONFIG SET bind "127.0.0.1 <private address>"; and in redis.conf',
      },
    ];
  },

  'redis.tls': (subject) => {
    const { tls } = subject.client.options;
    if (tls || isLocal(subject)) return [];
    return [
      {
        severity: 'WARNING',
        what: 'It is reached without TLS.',
        why: 'The password and all that passes can be read, and changed, on the way.',
        mend: 'Set tls-port in redis.conf, and rediss:// in SLUICE_REDIS_*_URL',
      },
    ];
  },

  'redis.certificate': (subject) => {
    const { stream } = subject.client;
    // A socket of TLS is told by the method that only it has.
    if (!('getPeerCertificate' in stream) || typeof stream.getPeerCertificate !== 'function') return [];
    const { valid_to: validTo } = stream.getPeerCertificate() as { valid_to?: string };
    const days = (Date.parse(validTo ?? '') - Date.now()) / dayMs;
    const { certificateDaysWarning, certificateDaysCritical } = subject.limits;
    if (!(days < certificateDaysWarning)) return [];
    return [
      {
        severity: days < certificateDaysCritical ? 'CRITICAL' : 'WARNING',
        what: `Its certificate expires in ${Math.floor(days)} days.`,
        why: 'From then on no service connects.',
        mend: 'Renew the certificate, then redis-cli CONFIG SET tls-cert-file <path> tls-key-file <path>',
      },
    ];
  },
};

/** Whether somebody without user and password is answered; asked for by being one, which needs no right. */
async function answersStrangers({ client }: RedisSubject): Promise<boolean> {
  const { tls } = client.options;
  const stranger = new Redis({
    ...placeOf(client),
    ...(tls ? { tls } : {}),
    lazyConnect: true,
    connectTimeout: probeMs,
    commandTimeout: probeMs,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // Without a listener a refused connection would end the process.
  stranger.on('error', () => undefined);
  try {
    await stranger.connect();
    await stranger.ping();
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    if (/^(NOAUTH|NOPERM|DENIED|ERR operation not permitted)/.test(message)) return false;
    throw error;
  } finally {
    stranger.disconnect();
  }
}

/** Where it is. Of a server that sentinels have named the options say nothing, but the connection does. */
function placeOf({ options, stream }: Redis): { path: string } | { host: string; port: number } {
  const { path, host = 'localhost', port = 6379, sentinels } = options;
  if (path) return { path };
  if (!sentinels) return { host, port };
  const { remoteAddress, remotePort } = stream as Partial<Socket>;
  if (remoteAddress === undefined || remotePort === undefined) throw new Error('it is not connected');
  return { host: remoteAddress, port: remotePort };
}
