import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.js';
import { selfSigned } from './self-signed.js';
import { until } from './until.js';

const suffix = 'dc=example,dc=com';
/** Debian has it where only root looks for programs. */
const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

/** Passwords of the people in the directory are their uid and `-password`. */
const people = {
  ana: { uid: 'ana', cn: 'Ana Silva', mail: 'ana@example.com', department: 'sales' },
  bob: { uid: 'bob', cn: 'Bob (B*b) Jones', mail: 'bob@example.com', department: 'it' },
  comma: { uid: 'com,ma', cn: 'Comma, Person', mail: 'comma@example.com', department: 'it' },
} as const;

/** A real OpenLDAP server of the test's own on free ports of 127.0.0.1, with people, groups and a service account. */
export class LdapServer implements AsyncDisposable {
  private child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    readonly securePort: number,
    private readonly directory: string,
    /** What its certificate for localhost is trusted by, in PEM. */
    readonly certificateAuthority: string,
  ) {}

  static async start(): Promise<LdapServer> {
    const directory = await mkdtemp(join(tmpdir(), 'sluice-ldap-'));
    const { certificate, privateKey } = await selfSigned();
    const [port, securePort] = [await freePort(), await freePort()];
    await mkdir(join(directory, 'data'));
    await writeFile(join(directory, 'server.pem'), certificate);
    await writeFile(join(directory, 'server.key'), privateKey);
    await writeFile(join(directory, 'slapd.conf'), configuration(directory));
    await writeFile(join(directory, 'people.ldif'), ldif());
    const env = { ...process.env, PATH: path };
    const { stderr } = await promisify(execFile)(
      'slapadd',
      ['-f', join(directory, 'slapd.conf'), '-l', join(directory, 'people.ldif')],
      { env },
    );
    if (stderr.includes('ERROR')) throw new Error(stderr);
    const server = new LdapServer(port, securePort, directory, certificate);
    await server.launch();
    return server;
  }

  get url(): string {
    return `ldap://localhost:${this.port}`;
  }

  get secureUrl(): string {
    return `ldaps://localhost:${this.securePort}`;
  }

  readonly bindName = `cn=reader,${suffix}`;
  readonly bindPassword = 'reader-password';
  readonly userBase = `ou=people,${suffix}`;
  readonly groupBase = `ou=groups,${suffix}`;

  async stop(): Promise<void> {
    const child = this.child;
    if (child && child.exitCode === null) {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await gone;
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private async launch(): Promise<void> {
    const urls = `ldap://127.0.0.1:${this.port} ldaps://127.0.0.1:${this.securePort}`;
    // With -d it stays in the foreground, and ends with its test.
    this.child = spawn('slapd', ['-f', join(this.directory, 'slapd.conf'), '-h', urls, '-d', '0'], {
      stdio: 'ignore',
      env: { ...process.env, PATH: path },
    });
    await until(() => isOpen(this.port), { what: `slapd on port ${this.port}` });
  }
}

function configuration(directory: string): string {
  const lines = [
    ...['core', 'cosine', 'inetorgperson'].map((name) => `include /etc/ldap/schema/${name}.schema`),
    `pidfile ${directory}/slapd.pid`,
    'modulepath /usr/lib/ldap',
    'moduleload back_mdb',
    `TLSCertificateFile ${directory}/server.pem`,
    `TLSCertificateKeyFile ${directory}/server.key`,
    // As real ones do: nobody reads without signing in, and a name without a password is taken for anonymous.
    'allow bind_anon_dn bind_anon_cred',
    'database mdb',
    `suffix "${suffix}"`,
    `directory ${directory}/data`,
    'maxsize 10485760',
    'access to attrs=userPassword by anonymous auth by * none',
    'access to * by users read by * none',
  ];
  return `${lines.join('\n')}\n`;
}

function ldif(): string {
  const entries = Object.values(people).map(({ uid, cn, mail, department }) =>
    entry(`uid=${uid.replace(',', '\\,')},ou=people,${suffix}`, {
      objectClass: 'inetOrgPerson',
      ...{ uid, cn, sn: cn, mail, departmentNumber: department, userPassword: `${uid}-password` },
    }),
  );
  const members = (uid: string): string => `uid=${uid},ou=people,${suffix}`;
  return [
    entry(suffix, { objectClass: ['dcObject', 'organization'], dc: 'example', o: 'Example' }),
    entry(`ou=people,${suffix}`, { objectClass: 'organizationalUnit', ou: 'people' }),
    entry(`ou=groups,${suffix}`, { objectClass: 'organizationalUnit', ou: 'groups' }),
    entry(`cn=reader,${suffix}`, {
      objectClass: ['organizationalRole', 'simpleSecurityObject'],
      ...{ cn: 'reader', userPassword: 'reader-password' },
    }),
    ...entries,
    entry(`cn=analysts,ou=groups,${suffix}`, {
      objectClass: 'groupOfNames',
      ...{ cn: 'analysts', member: [members('ana'), members('bob')] },
    }),
    entry(`cn=europe,ou=groups,${suffix}`, { objectClass: 'groupOfNames', cn: 'europe', member: members('ana') }),
    entry(`cn=odd,ou=groups,${suffix}`, { objectClass: 'groupOfNames', cn: 'odd', member: members('com\\,ma') }),
  ].join('\n');
}

function entry(dn: string, attributes: Readonly<Record<string, string | readonly string[]>>): string {
  const lines = Object.entries(attributes).flatMap(([name, values]) =>
    (typeof values === 'string' ? [values] : values).map((value) => `${name}: ${value}`),
  );
  return `dn: ${dn}\n${lines.join('\n')}\n`;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
