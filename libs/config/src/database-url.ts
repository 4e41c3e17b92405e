const targets = ['any', 'read-write', 'primary', 'standby'] as const;

export interface DatabaseHost {
  readonly host: string;
  readonly port: number;
}

/** An address of PostgreSQL that may name several servers, as libpq takes it. */
export interface DatabaseUrl {
  /** The same with the first server alone, and without what node-postgres does not know. */
  readonly single: string;
  readonly hosts: readonly DatabaseHost[];
  /** Which of them will do; 'primary' is another word for 'read-write'. */
  readonly target: 'any' | 'read-write' | 'standby' | undefined;
}

/** `postgresql://user@a:5432,b:5432/sluice?target_session_attrs=read-write`; undefined where it is no such address. */
export function parseDatabaseUrl(text: string): DatabaseUrl | undefined {
  const [, before, authority, after] = /^(postgres(?:ql)?:\/\/(?:[^@/?#]*@)?)([^/?#]*)(.*)$/.exec(text) ?? [];
  if (before === undefined || authority === undefined || after === undefined) return undefined;
  const names = authority.split(',');
  const single = `${before}${names[0]}${after}`;
  if (names.includes('') && names.length > 1) return undefined;
  if (!names.every((name) => URL.canParse(`${before}${name}${after}`))) return undefined;
  const url = new URL(single);
  const target = targetOf(url.searchParams.get('target_session_attrs'));
  if (target === null) return undefined;
  url.searchParams.delete('target_session_attrs');
  const isPlain = names.length === 1 && target === undefined;
  return {
    single: isPlain ? single : url.href,
    hosts: names.map((name) => hostOf(`${before}${name}${after}`)),
    target,
  };
}

/** Null where there is no such target. */
function targetOf(text: string | null): DatabaseUrl['target'] | null {
  if (text === null) return undefined;
  const known = targets.find((target) => target === text);
  return known === undefined ? null : known === 'primary' ? 'read-write' : known;
}

function hostOf(text: string): DatabaseHost {
  const { hostname, port } = new URL(text);
  // An address of IPv6 stands in brackets there, and nowhere else.
  const host = decodeURIComponent(hostname).replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? 'localhost' : host, port: port === '' ? 5432 : Number(port) };
}
