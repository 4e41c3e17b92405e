import { Injectable } from '@nestjs/common';
import type { Entry } from 'ldapts';
import { InjectConfig } from '#libs/config';
import { NetworkGuard } from '#libs/outbound';
import type { AuthConfig } from '../auth.config.js';
import type { DirectoryConnection, DirectoryLimits } from './directory-connection.js';
import { fillFilter, fillName } from './ldap-escape.js';
import { groupsClaim, type LdapOptions } from './ldap-options.js';

const groupsMax = 1_000;
const loginLengthMax = 320;
const passwordLengthMax = 1_000;

/** Somebody whose password the directory has confirmed. */
export interface LdapPerson {
  readonly subject: string;
  readonly email: string | undefined;
  readonly name: string | undefined;
  readonly claims: Readonly<Record<string, string[]>>;
}

/** Asks directories who somebody is, on connections of its own for each attempt: a connection is whoever it is bound as. */
@Injectable()
export class LdapDirectoryClient {
  private readonly limits: Omit<DirectoryLimits, 'signal'>;

  constructor(@InjectConfig() { providers }: Pick<AuthConfig, 'providers'>) {
    this.limits = { guard: new NetworkGuard(providers.allowedNetworks), timeoutMs: providers.timeoutMs };
  }

  /**
   * Undefined where there is no such user or the password is another.
   * @param signal ends it, whatever it waits for
   * @throws Error where the directory cannot be asked
   */
  async authenticate(
    options: LdapOptions,
    login: string,
    password: string,
    signal: AbortSignal,
  ): Promise<LdapPerson | undefined> {
    if (!isUsable(login, loginLengthMax) || !isUsable(password, passwordLengthMax)) return undefined;
    // Loaded with the first who comes: most installations sign in by other ways.
    const { DirectoryConnection: Connection } = await import('./directory-connection.js');
    const open = () => Connection.open(options, { ...this.limits, signal });
    return options.userName === undefined
      ? bySearch(open, options, login, password)
      : byName(open, options, options.userName, login, password);
  }
}

type Open = () => Promise<DirectoryConnection>;

/** The service account finds the user's entry, and the groups; the entry is bound on a connection of its own. */
async function bySearch(
  open: Open,
  options: LdapOptions,
  login: string,
  password: string,
): Promise<LdapPerson | undefined> {
  await using service = await open();
  await bindService(service, options);
  const entry = await searchUser(service, options, login);
  if (!entry) return undefined;
  await using own = await open();
  if (!(await own.bind(entry.dn, password))) return undefined;
  return personOf(entry, options, await groupsOf(service, options, entry.dn, login));
}

/** The user binds by a name that is made of the login, and reads the own entry; groups too, unless a service account may. */
async function byName(
  open: Open,
  options: LdapOptions,
  template: string,
  login: string,
  password: string,
): Promise<LdapPerson | undefined> {
  const name = fillName(template, { login });
  await using connection = await open();
  if (!(await connection.bind(name, password))) return undefined;
  const entry = options.userBase
    ? await searchUser(connection, options, login)
    : (await connection.search(name, { scope: 'base', ...attributesOf(options) }))[0];
  if (!entry) return undefined;
  if (options.bindName !== undefined) await bindService(connection, options);
  return personOf(entry, options, await groupsOf(connection, options, entry.dn, login));
}

/** What is empty would be anonymous, and no password or name has a zero byte. */
function isUsable(text: string, lengthMax: number): boolean {
  return text !== '' && text.length <= lengthMax && !text.includes('\0');
}

async function bindService(connection: DirectoryConnection, { bindName, bindPassword }: LdapOptions): Promise<void> {
  if (bindName === undefined || bindPassword === undefined) throw new Error('there is no service account');
  if (!(await connection.bind(bindName, bindPassword))) throw new Error('the directory refuses the service account');
}

/** The only entry that fits; of two, nobody knows whose password was given. */
async function searchUser(
  connection: DirectoryConnection,
  options: LdapOptions,
  login: string,
): Promise<Entry | undefined> {
  const { userBase = '', userFilter = '' } = options;
  const filter = fillFilter(userFilter, { login });
  const found = await connection.search(userBase, { scope: 'sub', filter, sizeLimit: 2, ...attributesOf(options) });
  return found.length === 1 ? found[0] : undefined;
}

async function groupsOf(
  connection: DirectoryConnection,
  { groupBase, groupFilter, groupNameAttribute }: LdapOptions,
  dn: string,
  login: string,
): Promise<string[]> {
  if (groupBase === undefined) return [];
  const filter = fillFilter(groupFilter, { dn, login });
  const attributes = [groupNameAttribute];
  const found = await connection.search(groupBase, { scope: 'sub', filter, attributes, sizeLimit: groupsMax });
  return found.flatMap((entry) => valuesOf(entry, groupNameAttribute));
}

function attributesOf(options: LdapOptions): { attributes: string[]; explicitBufferAttributes: string[] } {
  const { subjectAttribute, emailAttribute, nameAttribute, claimAttributes } = options;
  const attributes = [...new Set([subjectAttribute, emailAttribute, nameAttribute, ...claimAttributes])];
  return { attributes, explicitBufferAttributes: attributes.filter(isBinary) };
}

function personOf(entry: Entry, options: LdapOptions, groups: string[]): LdapPerson {
  const { subjectAttribute, emailAttribute, nameAttribute, claimAttributes } = options;
  const [subject] = valuesOf(entry, subjectAttribute);
  if (!subject) throw new Error(`the directory tells no ${subjectAttribute} of the user`);
  const names = new Set([subjectAttribute, emailAttribute, nameAttribute, ...claimAttributes]);
  const claims = Object.fromEntries([...names].map((name) => [name, valuesOf(entry, name)]));
  return {
    subject,
    email: valuesOf(entry, emailAttribute)[0],
    name: valuesOf(entry, nameAttribute)[0],
    claims: { ...claims, dn: [entry.dn], [groupsClaim]: groups },
  };
}

/** The directory may write an attribute's name in another case than we asked for it. */
function valuesOf(entry: Entry, name: string): string[] {
  const key = Object.keys(entry).find((known) => known.toLowerCase() === name.toLowerCase());
  const value = key === undefined ? [] : (entry[key] ?? []);
  const all = Array.isArray(value) ? value : [value];
  return all.map((one) => (typeof one === 'string' ? one : one.toString(isBinary(name) ? 'hex' : 'utf8')));
}

/** Active Directory's ids are bytes, told in hex here. */
function isBinary(name: string): boolean {
  return ['objectguid', 'objectsid'].includes(name.toLowerCase());
}
