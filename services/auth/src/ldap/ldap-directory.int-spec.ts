import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NetworkGuard } from '#libs/outbound';
import { freePort, LdapServer, TcpProxy, until } from '#libs/testing';
import { DirectoryConnection } from './directory-connection.js';
import { LdapDirectoryClient } from './ldap-directory.client.js';
import { ldapOptions, type LdapOptions } from './ldap-options.js';

let server: LdapServer;
beforeAll(async () => {
  server = await LdapServer.start();
});
afterAll(() => server.stop());

const local = ['127.0.0.0/8', '::1/128'];
const refusedAddress = 'the address is not one that may be reached';
const limits = () => ({ guard: new NetworkGuard(local), timeoutMs: 2_000, signal: AbortSignal.timeout(2_000) });
const clientOf = (allowedNetworks: string[]) =>
  new LdapDirectoryClient({ providers: { allowedNetworks, timeoutMs: 2_000 } });
const client = clientOf(local);

/** By search, over ldaps with the server's own authority. */
function searching(change: Partial<Record<keyof LdapOptions, unknown>> = {}): LdapOptions {
  const { secureUrl: url, certificateAuthority, bindName, bindPassword, userBase, groupBase } = server;
  return ldapOptions.parse({
    ...{ url, certificateAuthority, bindName, bindPassword, userBase, groupBase },
    userFilter: '(&(objectClass=inetOrgPerson)(uid={login}))',
    claimAttributes: ['departmentNumber'],
    ...change,
  });
}

function direct(change: Partial<Record<keyof LdapOptions, unknown>> = {}): LdapOptions {
  const { secureUrl: url, certificateAuthority, userBase, groupBase } = server;
  return ldapOptions.parse({
    ...{ url, certificateAuthority, groupBase },
    userName: `uid={login},${userBase}`,
    ...change,
  });
}

const signIn = (options: LdapOptions, login: string, password: string) =>
  client.authenticate(options, login, password, AbortSignal.timeout(2_000));

describe('who a directory says somebody is', () => {
  it('by search: the entry is found by the service account, and its groups and attributes are told', async () => {
    const person = await signIn(searching(), 'ana', 'ana-password');
    expect(person).toMatchObject({ email: 'ana@example.com', name: 'Ana Silva' });
    expect(person?.subject).toMatch(/^[0-9a-f-]{36}$/);
    expect(person?.claims['departmentNumber']).toEqual(['sales']);
    expect(person?.claims['groups']?.toSorted()).toEqual(['analysts', 'europe']);
  });

  it('by name: the user binds directly and reads the own entry', async () => {
    const person = await signIn(direct(), 'bob', 'bob-password');
    expect(person).toMatchObject({ email: 'bob@example.com', claims: { groups: ['analysts'] } });
    expect(person?.subject).toBe((await signIn(searching(), 'bob', 'bob-password'))?.subject);
  });

  it('StartTLS encrypts a connection to ldap:// before anything is said', async () => {
    await expect(signIn(searching({ url: server.url }), 'ana', 'ana-password')).resolves.toBeDefined();
  });
});

describe('who is nobody', () => {
  it('a wrong password, an unknown user and one that two entries fit are the same: undefined', async () => {
    expect(await signIn(searching(), 'ana', 'wrong')).toBeUndefined();
    expect(await signIn(searching(), 'nobody', 'ana-password')).toBeUndefined();
    expect(await signIn(searching({ userFilter: '(|(uid={login})(uid=bob))' }), 'ana', 'ana-password')).toBeUndefined();
    expect(await signIn(direct(), 'ana', 'wrong')).toBeUndefined();
    expect(await signIn(direct(), 'nobody', 'ana-password')).toBeUndefined();
  });

  it('empty password: refused before the directory is asked, which would take it for anonymous and say yes', async () => {
    // The directory does say yes.
    await using connection = await DirectoryConnection.open(searching(), limits());
    const raw = connection as unknown as { client: { bind(name: string, password: string): Promise<void> } };
    await expect(raw.client.bind(`uid=ana,${server.userBase}`, '')).resolves.toBeUndefined();
    expect(await connection.bind(`uid=ana,${server.userBase}`, '')).toBe(false);
    for (const options of [searching(), direct()]) {
      expect(await signIn(options, 'ana', '')).toBeUndefined();
      expect(await signIn(options, '', 'ana-password')).toBeUndefined();
      expect(await signIn(options, 'ana', '\0')).toBeUndefined();
    }
  });

  it('filter injection: what is typed is a value and nothing else', async () => {
    const attempts = [
      '*',
      'an*',
      'ana)(uid=*',
      '*)(uid=*))(|(uid=*',
      'ana)(|(objectClass=*)',
      'x\\2a',
      '{dn}',
      'ana\\00',
    ];
    for (const login of attempts) expect(await signIn(searching(), login, 'ana-password')).toBeUndefined();
    const byCommonName = searching({ userFilter: '(cn={login})' });
    await expect(signIn(byCommonName, 'Bob (B*b) Jones', 'bob-password')).resolves.toMatchObject({
      email: 'bob@example.com',
    });
  });

  it('name injection: what is typed is one part of the name and nothing else', async () => {
    const attempts = [
      'ana,ou=people,dc=example,dc=com',
      'ana+cn=Ana Silva',
      'ana\\',
      '"ana"',
      '#616e61',
      'reader,dc=example,dc=com\0',
    ];
    for (const login of attempts) expect(await signIn(direct(), login, 'ana-password')).toBeUndefined();
    await expect(signIn(direct(), 'com,ma', 'com,ma-password')).resolves.toMatchObject({ claims: { groups: ['odd'] } });
    await expect(signIn(searching(), 'com,ma', 'com,ma-password')).resolves.toMatchObject({
      claims: { groups: ['odd'] },
    });
  });
});

describe('a directory that cannot be asked', () => {
  it('a certificate that is not trusted, or is for another name, is refused, by ldaps and by StartTLS', async () => {
    const untrusted = { certificateAuthority: undefined };
    await expect(signIn(searching(untrusted), 'ana', 'ana-password')).rejects.toThrow(/self-signed/);
    await expect(signIn(searching({ ...untrusted, url: server.url }), 'ana', 'ana-password')).rejects.toThrow(
      /self-signed/,
    );
    const byAddress = `ldaps://127.0.0.1:${server.securePort}`;
    await expect(signIn(searching({ url: byAddress }), 'ana', 'ana-password')).rejects.toThrow(/altnames/);
    await expect(signIn(searching({ url: `ldap://127.0.0.1:${server.port}` }), 'ana', 'x')).rejects.toThrow(/altnames/);
  });

  it('SSRF: one that lies in no network that the operator names is not connected to, by name or address; in clear never but there', async () => {
    const elsewhere = clientOf(['10.0.0.0/8']);
    for (const url of [server.secureUrl, server.url, `ldaps://127.0.0.1:${server.securePort}`, `ldaps://[::1]:1`]) {
      await expect(elsewhere.authenticate(searching({ url }), 'ana', 'ana-password', limits().signal)).rejects.toThrow(
        refusedAddress,
      );
    }
    const clear = { url: server.url, startTls: false };
    await expect(signIn(searching(clear), 'ana', 'ana-password')).resolves.toBeDefined();
    const inPublic = direct({ url: 'ldap://192.0.43.8', startTls: false });
    await expect(signIn(inPublic, 'ana', 'ana-password')).rejects.toThrow(refusedAddress);
  });

  it('a wrong service account is an error of the configuration, not a wrong password', async () => {
    await expect(signIn(searching({ bindPassword: 'wrong' }), 'ana', 'ana-password')).rejects.toThrow(
      'service account',
    );
  });

  it('one that does not answer or is not there ends the attempt within seconds', async () => {
    await using proxy = await TcpProxy.start(server.port);
    proxy.swallow();
    const begun = performance.now();
    await expect(signIn(searching({ url: `ldap://localhost:${proxy.port}` }), 'ana', 'ana-password')).rejects.toThrow();
    expect(performance.now() - begun).toBeLessThan(3_500);
    await expect(signIn(searching({ url: `ldap://localhost:${await freePort()}` }), 'ana', 'x')).rejects.toThrow();
  }, 20_000);

  it('a connection that breaks after StartTLS is not made again, as the password would then go in clear', async () => {
    const wiretap = await Wiretap.start(server.port);
    const connection = await DirectoryConnection.open(searching({ url: `ldap://localhost:${wiretap.port}` }), limits());
    expect(await connection.bind(server.bindName, server.bindPassword)).toBe(true);
    wiretap.cut();
    await until(() => connection.isBroken);
    await expect(connection.bind(server.bindName, server.bindPassword)).rejects.toThrow('broke');
    await connection.close();
    wiretap.stop();
    expect(wiretap.connections).toBe(1);
    expect(Buffer.concat(wiretap.seen).includes(server.bindPassword)).toBe(false);
  });
});

describe('options', () => {
  const refused = (options: Record<string, unknown>): boolean => !ldapOptions.safeParse(options).success;

  it('are refused where they lack what they need, or could bind by a SASL mechanism', () => {
    const url = 'ldaps://directory.example.com';
    expect(refused({ url })).toBe(true);
    expect(refused({ url, userName: '{login}' })).toBe(true);
    expect(refused({ url, userName: 'uid=ana,dc=example' })).toBe(true);
    expect(refused({ url, userName: '{login}@corp.example.com' })).toBe(true);
    expect(refused({ url, userName: 'uid={login},dc=example', bindName: 'cn=x' })).toBe(true);
    expect(refused({ url: 'http://x', userName: 'uid={login},dc=example' })).toBe(true);
    expect(refused({ url, userName: 'uid={login},dc=example', startTls: true })).toBe(true);
    expect(refused({ url, userName: 'uid={login},dc=example', insecure: true })).toBe(true);
    expect(refused({ url, userName: 'uid={login},dc=example' })).toBe(false);
    const search = { userBase: 'dc=example', userFilter: '(userPrincipalName={login}@corp.example.com)' };
    expect(refused({ url, userName: '{login}@corp.example.com', ...search })).toBe(false);
  });
});

/** Passes all on, hears what clients say, and can end their connections while it takes new ones. */
class Wiretap {
  readonly seen: Buffer[] = [];
  connections = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    readonly port: number,
    private readonly server: Server,
  ) {}

  static async start(target: number): Promise<Wiretap> {
    const server = createServer();
    const wiretap = new Wiretap(await freePort(), server);
    server.on('connection', (near) => wiretap.join(near, connect(target, '127.0.0.1')));
    await new Promise<void>((resolve) => server.listen(wiretap.port, '127.0.0.1', resolve));
    return wiretap;
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private join(near: Socket, far: Socket): void {
    this.connections += 1;
    near.on('data', (chunk) => this.seen.push(chunk));
    for (const socket of [near, far]) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
    }
    near.pipe(far).pipe(near);
  }
}
