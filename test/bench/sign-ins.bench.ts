import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import { Api } from './api.ts';
import { startBenchIssuer, type BenchIssuer } from './bench-issuer.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import type { Installation } from './installation.ts';
import type { Round } from './measure.ts';
import { countProcessorTime, describeProcessorMs, type ProcessorMs } from './processor-time.ts';
import { Visitor } from './visitor.ts';

const people = 500;
/** With few, each process is woken for one of them alone: a third less in a second. */
const atOnce = 64;
const signIns = 1_000;
/**
 * By then the processes have compiled what they do: with 3,000 behind them they take a third more than with 10,000. Theirs
 * come last, as V8 gives up what it has compiled in a process that is idle for a while.
 */
const warmUp = 10_000;
const bareWarmUp = 3_000;
/** What 200 sign-ins a second may take of two cores, in ms each. */
const cpuMsMax = 10;
/** An issuer of this machine may be asked by nobody else. */
export const localIssuer = { SLUICE_AUTH_PROVIDER_ALLOWED_NETWORKS: '127.0.0.0/8' };

const scope = 'openid email profile groups';

interface Found {
  readonly perSecond: number;
  /** Of the processor, for each sign-in: by the issuer, and by Sluice with its stores. */
  readonly issuerMs: number;
  readonly sluiceMs: number;
  /** The same by process, those that sign in being "client". */
  readonly processes: ProcessorMs;
}

/** Signing in through a provider, from the link to the cookie, against what the provider takes by itself. */
export async function benchSignIns(mesh: Installation, { rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const api = new Api(mesh);
  const issuer = await startBenchIssuer(people);
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce * 2 });
  try {
    const login = new URL(await makeProvider(api, issuer), mesh.access.graphqlUrl);
    login.searchParams.set('returnTo', '/done');
    const ours = (number: number): Promise<void> => signIn(new Visitor(agent), login, number);
    const bare = (number: number): Promise<void> => signInBare(new Visitor(agent), issuer, number);
    await measure(mesh, issuer, bareWarmUp * scale, bare);
    await measure(mesh, issuer, warmUp * scale, ours);
    const speed: Round[] = [];
    const work: Round[] = [];
    const count = Math.max(200, signIns * scale);
    for (let round = 0; round < rounds; round += 1) {
      const control = await measure(mesh, issuer, count, bare);
      const found = await measure(mesh, issuer, count, ours);
      speed.push({ ours: found.perSecond, control: control.perSecond });
      work.push({ ours: found.sluiceMs, control: found.issuerMs });
      say(`  round ${round + 1}: ${describe(found)}\n    the issuer alone: ${describe(control)}`);
    }
    return {
      name: 'Sign-ins through OpenID Connect',
      method: `${people} people sign in, ${atOnce} at a time: the link of the provider, the issuer's page, the choice, the callback, the cookie. Issuer
(oidc-provider, one process), Sluice, its stores and those who sign in share the machine. The control is a client that does nothing: it
takes the same way through the issuer and redeems the code. Processor time is of gateway, auth, PostgreSQL and Redis together.`,
      measures: [
        {
          ...{ name: 'sign-ins', unit: '1/s', rounds: speed },
          control: 'the issuer and a client that does nothing',
          target: { of: 'ours', atLeast: 200 },
        },
        {
          ...{ name: 'processor time of Sluice for one', unit: 'ms', rounds: work },
          control: 'of the issuer for the same one',
          target: { of: 'ours', atMost: cpuMsMax },
        },
      ],
    };
  } finally {
    agent.destroy();
    await issuer.stop();
    await api.close();
  }
}

async function makeProvider(api: Api, { issuer, clientSecret }: BenchIssuer): Promise<string> {
  const input = {
    ...{ name: `Bench ${randomUUID()}`, kind: 'OIDC', emailDomains: ['bench.example'] },
    options: { issuer, clientId: 'bench', clientSecret, scopes: scope.split(' ') },
    rules: { groups: { claim: 'groups', passThrough: true }, roles: { default: ['analyst'] } },
  };
  const { createIdentityProvider } = await api.request<{
    createIdentityProvider: { identityProvider: { signInPath: string } | null; errors: { message: string }[] };
  }>(
    `mutation ($input: CreateIdentityProviderInput!) { createIdentityProvider(input: $input) {
       identityProvider { signInPath } errors { message } } }`,
    { input },
  );
  const { identityProvider, errors } = createIdentityProvider;
  if (!identityProvider) throw new Error(errors.map(({ message }) => message).join('; '));
  return identityProvider.signInPath;
}

async function signIn(visitor: Visitor, login: URL, number: number): Promise<void> {
  const page = await visitor.follow(login, isPage);
  await visitor.follow(await choose(visitor, page, number), ({ pathname }) => pathname === '/done');
}

/** What any client has to do. */
async function signInBare(visitor: Visitor, { issuer, clientSecret }: BenchIssuer, number: number): Promise<void> {
  const verifier = randomBytes(32).toString('base64url');
  const callback = `${issuer}/v1/sso/bare/callback`;
  const begin = new URL('/auth', issuer);
  begin.search = new URLSearchParams({
    ...{ client_id: 'bench', response_type: 'code', redirect_uri: callback, scope },
    ...{ state: randomBytes(32).toString('base64url'), nonce: randomBytes(32).toString('base64url') },
    ...{ code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' },
  }).toString();
  const page = await visitor.follow(begin, isPage);
  const back = await visitor.follow(await choose(visitor, page, number), ({ href }) => href.startsWith(callback));
  const { status, text } = await visitor.visit(new URL('/token', issuer), {
    ...{ grant_type: 'authorization_code', code: back.searchParams.get('code') ?? '', redirect_uri: callback },
    ...{ client_id: 'bench', client_secret: clientSecret, code_verifier: verifier },
  });
  if (status !== 200) throw new Error(`the code was not redeemed: ${text}`);
}

function isPage({ pathname }: URL): boolean {
  return pathname.startsWith('/interaction/');
}

async function choose(visitor: Visitor, page: URL, number: number): Promise<URL> {
  await visitor.visit(page);
  const { location, text } = await visitor.visit(page, { account: `person-${number % people}` });
  if (!location) throw new Error(`the issuer did not take the choice: ${text.slice(0, 300)}`);
  return location;
}

async function measure(
  mesh: Installation,
  issuer: BenchIssuer,
  count: number,
  one: (number: number) => Promise<void>,
): Promise<Found> {
  const spent = countProcessorTime(mesh, { issuer: issuer.pid });
  const begun = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let number = next++; number < count; number = next++) await one(number);
    }),
  );
  const seconds = (performance.now() - begun) / 1_000;
  const processes = spent(count);
  return {
    perSecond: count / seconds,
    issuerMs: processes.get('issuer') ?? 0,
    sluiceMs: [...mesh.processNames].reduce((sum, name) => sum + (processes.get(name) ?? 0), 0),
    processes,
  };
}

function describe({ perSecond, processes }: Found): string {
  return `${perSecond.toFixed(0)}/s, ${describeProcessorMs(processes)}`;
}
