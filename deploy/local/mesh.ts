import { createHmac } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { administrator } from './administrator.ts';
import { authSettings } from './auth-settings.ts';
import { Child } from './child-process.ts';
import { dataDirectory } from './bundled-data.ts';
import { freePorts } from './free-port.ts';
import { operatorEnvironment } from './operator-environment.ts';
import type { LocalIssuer } from './provider.ts';
import { postgresChild, serviceDatabaseUrl, superuserUrl } from './postgres-server.ts';
import { findRedisProgram, redisChild, redisLoginOf, redisSocketIn, waitForRedis } from './redis.ts';
import { answers } from './answers.ts';
import { isReady } from './readiness.ts';
import { runStep } from './run-step.ts';
import { StateDirectory, type LocalSecrets } from './state-directory.ts';
import { userEnvironment, type Environment } from './user-environment.ts';
import { waitFor } from './wait-for.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export const services = ['auth', 'metadata', 'orchestrator', 'worker', 'results', 'gateway'] as const;
export type ServiceName = (typeof services)[number];

/** Small pieces of garbage, collected by the thread that made them: all six services share two or four cores here. */
const nodeFlags = ['--single-threaded-gc', '--max-semi-space-size=4'];
const flagsOf: Partial<Record<ServiceName, readonly string[]>> = {
  // Sign-ins wait for a provider meanwhile, and what they hold would be copied again and again: a tenth more of them in a second.
  auth: ['--max-semi-space-size=16'],
  // Of a machine's whole memory V8 lets it keep three times what lives in it before it collects for the first time. With a small young
  // generation a sixth of its time under load goes into garbage.
  orchestrator: ['--max-semi-space-size=16', '--max-old-space-size=256'],
  // Whole results pass through it; its heap is kept small at some cost in speed.
  worker: ['--optimize-for-size'],
  // With less, half of its time under load goes into garbage: what a request needs while it waits is copied again and again.
  // Nor is what it pushes to wait for a whole collection: its heap is marked while events go out.
  gateway: ['--no-single-threaded-gc', '--max-semi-space-size=32'],
};

/**
 * glibc keeps what is freed, in one arena for each thread, and the more the larger the pieces have been (hashing a password takes
 * 19 MiB). With a fixed threshold large pieces go back at once.
 */
const allocator = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' };

export interface MeshOptions {
  directory: string;
  gatewayPort: number;
  /** Settings of the environment that go to every service, over those made here. */
  env?: Record<string, string>;
  /** Progress, for people. */
  say?: (line: string) => void;
  /** Starts a service again that ended by itself. */
  restartCrashed?: boolean;
  /** Called when a process has been started again; it has another process id. */
  restarted?: () => void;
  redisArgs?: readonly string[];
  postgresArgs?: readonly string[];
  /** With an identity provider of its own to sign in through. */
  withIssuer?: boolean;
  /** Where and how a process of a service runs, if not simply on this machine; asked when it is made. */
  place?: (name: string, mesh: Mesh) => Placement | undefined;
}

/** What a test does to a process that it puts somewhere else. */
export interface Placement {
  /** The address of its ports. */
  host?: string;
  /** What it is started by, such as `ip netns exec <name>`. */
  launcher?: readonly string[];
  /** Over all other settings. */
  env?: Record<string, string>;
}

interface Ports {
  postgres: number;
  broker: number;
  cache: number;
}

/** All processes of one installation on this machine: PostgreSQL, two Redis servers, the six services. */
export class Mesh {
  readonly state: StateDirectory;
  readonly children = new Map<string, Child>();
  private readonly options: MeshOptions;
  private readonly restarts = new Map<string, number>();
  private readonly operationsPorts = new Map<string, number>();
  private ports: Ports = { postgres: 0, broker: 0, cache: 0 };
  private localSecrets: LocalSecrets | undefined;
  private userSettings: Environment = {};
  private stopping = false;
  /** Set while the services start: one that ends then has a reason that trying again will not mend. */
  private failStart: ((reason: Error) => void) | undefined;

  constructor(options: MeshOptions) {
    this.options = options;
    this.state = new StateDirectory(options.directory);
  }

  get graphqlUrl(): string {
    return `http://${this.hostOf('gateway')}:${this.options.gatewayPort}/graphql`;
  }

  get websocketUrl(): string {
    return `ws://${this.hostOf('gateway')}:${this.options.gatewayPort}/graphql`;
  }

  get postgresPort(): number {
    return this.ports.postgres;
  }

  get brokerUrl(): string {
    return process.env['SLUICE_REDIS_URL'] ?? this.redisUrl(this.ports.broker);
  }

  get cacheUrl(): string {
    return this.redisUrl(this.ports.cache);
  }

  get secrets(): LocalSecrets {
    if (!this.localSecrets) throw new Error('the stores have not been started');
    return this.localSecrets;
  }

  postgresUrl(database: string): string {
    return superuserUrl(this.ports.postgres, this.secrets.databasePassword, database);
  }

  /** PostgreSQL and Redis, with a database for the services. */
  async startStores(): Promise<void> {
    const { say = () => undefined } = this.options;
    this.localSecrets = this.state.secrets();
    const [postgres = 0, broker = 0, cache = 0] = await freePorts(3);
    this.ports = { postgres, broker, cache };
    if (process.env['SLUICE_REDIS_URL'] === undefined) this.startRedis(say);
    const directory = this.state.file('postgres');
    if (!isInstalled(this.options.directory)) {
      await runStep({ name: 'postgres files', directory, password: this.secrets.databasePassword });
    }
    this.add(
      postgresChild({ directory, port: postgres, logFile: this.log('postgres'), args: this.options.postgresArgs }),
    ).start();
    await Promise.all([
      process.env['SLUICE_REDIS_URL'] === undefined
        ? Promise.all([broker, cache].map((port) => waitForRedis(this.redisUrl(port))))
        : undefined,
      runStep({ name: 'database', port: postgres, password: this.secrets.databasePassword }),
    ]);
  }

  async startServices(): Promise<void> {
    this.userSettings = await userEnvironment(process.env);
    const ports = await freePorts(services.length);
    services.forEach((name, index) => this.operationsPorts.set(name, ports[index] ?? 0));
    const failure = Promise.withResolvers<never>();
    this.failStart = failure.reject;
    for (const name of services) this.addService(name).start();
    await Promise.race([Promise.all(services.map((name) => this.waitForService(name))), failure.promise]);
    this.failStart = undefined;
    this.state.writePrivateText(
      'operator.env',
      operatorEnvironment({
        redis: this.operatorRedis(),
        postgresPort: this.ports.postgres,
        secrets: this.secrets,
        operationsPorts: this.operationsPorts,
      }),
    );
  }

  /** An OpenID Connect issuer on this machine, for `withIssuer`. */
  async startIssuer(): Promise<LocalIssuer> {
    const [port = 0] = await freePorts(1);
    // Not kept, and the same at each start.
    const clientSecret = createHmac('sha256', this.secrets.adminPassword).update('local issuer').digest('base64url');
    const settings = { port, clientSecret, gatewayOrigin: new URL(this.graphqlUrl).origin };
    const child = new Child({
      name: 'oidc-issuer',
      command: process.execPath,
      args: [join(root, 'deploy', 'local', 'oidc-issuer.ts')],
      env: { SLUICE_LOCAL_ISSUER: JSON.stringify(settings) },
      cwd: root,
      logFile: this.log('oidc-issuer'),
    });
    this.add(child).start();
    const request = 'GET /.well-known/openid-configuration HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n';
    const isUp = (): Promise<boolean> => answers({ port, request, expected: 'HTTP/1.1 200 ', refused: 'HTTP/1.1 ' });
    await waitFor(`the identity provider (its log: ${this.log('oidc-issuer')})`, isUp, 30_000);
    return { issuer: `http://127.0.0.1:${port}`, clientSecret };
  }

  /** A second process of a service, with settings of its own; a second gateway listens on `publicPort`. */
  async addInstance(
    service: ServiceName,
    id: string,
    publicPort?: number,
    env: Record<string, string> = {},
  ): Promise<string> {
    const name = `${service}-${id}`;
    const [port = 0] = await freePorts(1);
    this.operationsPorts.set(name, port);
    const place: Record<string, string> = publicPort === undefined ? {} : { SLUICE_PORT: String(publicPort) };
    this.addService(service, name, { ...env, ...place }).start();
    await this.waitForService(name);
    return name;
  }

  child(name: string): Child {
    const child = this.children.get(name);
    if (!child) throw new Error(`there is no process ${name}`);
    return child;
  }

  hostOf(name: string): string {
    return this.placeOf(name).host ?? '127.0.0.1';
  }

  operationsUrl(name: string): string {
    return `http://${this.hostOf(name)}:${this.operationsPorts.get(name) ?? 0}`;
  }

  async waitForService(name: string): Promise<void> {
    const isUp = (): Promise<boolean> => isReady(this.operationsPorts.get(name) ?? 0, this.hostOf(name));
    try {
      await waitFor(`${name} (its log: ${this.log(name)})`, isUp, 60_000);
    } catch (error) {
      // An installation of a test takes its logs with it.
      const state = this.child(name).isRunning ? 'It runs' : 'It has ended';
      throw new Error(`${(error as Error).message}. ${state}:\n${this.endOfLog(name)}`, { cause: error });
    }
  }

  /** The gateway first, so that nothing new comes in; then the services, then what they stand on. */
  async stop(): Promise<void> {
    this.stopping = true;
    const named = (matches: (name: string) => boolean): Child[] =>
      [...this.children.values()].filter((child) => matches(child.name));
    await Promise.all(named((name) => name.startsWith('gateway')).map((child) => child.stop()));
    await Promise.all(named((name) => name.startsWith('worker')).map((child) => child.stop()));
    await Promise.all(named((name) => !isStore(name)).map((child) => child.stop()));
    await Promise.all(named(isStore).map((child) => child.stop()));
  }

  private operatorRedis(): Record<string, string> {
    const external = process.env['SLUICE_REDIS_URL'];
    if (external !== undefined) return { SLUICE_REDIS_URL: external };
    // With the user's name: redis-cli takes a URL without one for a user without a name.
    const broker = this.redisUrl(this.ports.broker, 'default');
    const cache = this.redisUrl(this.ports.cache, 'default');
    return { SLUICE_REDIS_BROKER_URL: broker, SLUICE_REDIS_SESSION_URL: broker, SLUICE_REDIS_CACHE_URL: cache };
  }

  private redisUrl(port: number, user = ''): string {
    return `redis://${user}:${this.secrets.redisPassword}@127.0.0.1:${port}`;
  }

  /** By a socket where there is one: a message costs less than half of what it does over loopback. */
  private serviceRedisUrl(role: 'broker' | 'cache'): string {
    const socket = redisSocketIn(this.state.file(`redis-${role}`));
    return socket === undefined
      ? this.redisUrl(this.ports[role])
      : pathToFileURL(socket).href.replace(/^file:/, 'unix:');
  }

  private startRedis(say: (line: string) => void): void {
    const program = findRedisProgram(say);
    for (const role of ['broker', 'cache'] as const) {
      const child = redisChild({
        role,
        program,
        port: this.ports[role],
        password: this.secrets.redisPassword,
        directory: this.state.file(`redis-${role}`),
        logFile: this.log(`redis-${role}`),
        ...(role === 'broker' && this.options.redisArgs ? { args: this.options.redisArgs } : {}),
      });
      this.add(child).start();
    }
  }

  private addService(service: ServiceName, name: string = service, env: Record<string, string> = {}): Child {
    const place = this.placeOf(name);
    const program = join(root, 'dist', 'services', service, 'src', 'main.js');
    const [command = '', ...args] = [...(place.launcher ?? []), process.execPath, ...nodeFlags];
    return this.add(
      new Child({
        name,
        command,
        args: [...args, ...(flagsOf[service] ?? []), program],
        env: { ...allocator, ...this.environmentOf(service, name), ...this.options.env, ...env, ...place.env },
        cwd: root,
        logFile: this.log(name),
      }),
    );
  }

  private placeOf(name: string): Placement {
    return this.options.place?.(name, this) ?? {};
  }

  private add(child: Child): Child {
    rmSync(this.log(child.name), { force: true });
    this.children.set(child.name, child);
    child.whenCrashed((reason) => this.crashed(child, reason));
    return child;
  }

  private crashed(child: Child, reason: string): void {
    if (this.stopping) return;
    this.failStart?.(new Error(`${child.name} has ended (${reason}):\n${this.endOfLog(child.name)}`));
    const count = (this.restarts.get(child.name) ?? 0) + 1;
    this.restarts.set(child.name, count);
    this.options.say?.(`${child.name} has ended (${reason}); its log: ${this.log(child.name)}`);
    if (!this.options.restartCrashed) return;
    setTimeout(
      () => {
        if (this.stopping || child.isRunning) return;
        child.start();
        this.options.restarted?.();
      },
      Math.min(250 * 2 ** count, 10_000),
    );
  }

  private endOfLog(name: string): string {
    return readFileSync(this.log(name), 'utf8').trimEnd().split('\n').slice(-5).join('\n');
  }

  private log(name: string): string {
    return this.state.file('log', `${name}.log`);
  }

  private environmentOf(service: ServiceName, name: string): Record<string, string> {
    const { secrets, ports, options } = this;
    const login = redisLoginOf(service, secrets.redisPassword);
    const redis: Record<string, string> =
      process.env['SLUICE_REDIS_URL'] === undefined
        ? {
            SLUICE_REDIS_BROKER_URL: this.serviceRedisUrl('broker'),
            SLUICE_REDIS_SESSION_URL: this.serviceRedisUrl('broker'),
            SLUICE_REDIS_CACHE_URL: this.serviceRedisUrl('cache'),
            SLUICE_REDIS_USERNAME: login.username,
            SLUICE_REDIS_PASSWORD: login.password,
            SLUICE_REDIS_CACHE_USERNAME: login.username,
            SLUICE_REDIS_CACHE_PASSWORD: login.password,
          }
        : {};
    const common: Record<string, string> = {
      ...redis,
      NODE_ENV: 'production',
      // A connection is a process of PostgreSQL, of 18 MB.
      SLUICE_DATABASE_POOL_MIN: '0',
      SLUICE_DATABASE_POOL_MAX: '3',
      SLUICE_DATABASE_POOL_IDLE_SECONDS: '1',
      [`SLUICE_${service.toUpperCase()}_INSTANCE`]: `${name}-${process.pid}`,
      [`SLUICE_${service.toUpperCase()}_METRICS_PORT`]: String(this.operationsPorts.get(name)),
    };
    const database = (schema: string): Record<string, string> => ({
      [`SLUICE_${schema.toUpperCase()}_DATABASE_URL`]: serviceDatabaseUrl(
        { port: ports.postgres, directory: this.state.file('postgres') },
        schema,
        secrets.databasePassword,
      ),
    });
    const results = { SLUICE_STORE_DIRECTORY: this.state.file('results') };
    const masterKeys = { SLUICE_MASTER_KEYS: secrets.masterKeys };
    const own: Record<ServiceName, Record<string, string>> = {
      auth: {
        ...database('auth'),
        ...masterKeys,
        SLUICE_AUTH_SIGNING_KEYS: secrets.signingKeys,
        SLUICE_AUTH_BOOTSTRAP_WORKSPACE: administrator.workspace,
        SLUICE_AUTH_BOOTSTRAP_EMAIL: administrator.email,
        SLUICE_AUTH_BOOTSTRAP_PASSWORD: secrets.adminPassword,
        ...authSettings(
          { gatewayPort: options.gatewayPort, withIssuer: options.withIssuer ?? false },
          this.userSettings,
        ),
      },
      metadata: { ...database('metadata'), ...masterKeys },
      // Every question goes through it: a burst is not to wait for connections that went a moment before.
      orchestrator: {
        ...database('orchestrator'),
        ...masterKeys,
        SLUICE_ORCHESTRATOR_DATABASE_POOL_MIN: '2',
      },
      worker: { ...masterKeys, ...results, SLUICE_WORKER_DUCKDB_DIRECTORIES: dataDirectory },
      results: { ...database('results'), ...results },
      gateway: {
        ...masterKeys,
        ...results,
        SLUICE_PORT: String(options.gatewayPort),
        SLUICE_GATEWAY_CURSOR_KEYS: secrets.cursorKeys,
      },
    };
    return { ...common, ...own[service] };
  }
}

/** True for the name of a process that the services stand on. */
export function isStore(name: string): boolean {
  return name === 'postgres' || name.startsWith('redis-');
}

/** True where an installation has been started in this directory before. */
export function isInstalled(directory: string): boolean {
  return existsSync(join(directory, 'postgres', 'PG_VERSION'));
}
