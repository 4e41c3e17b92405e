import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Placement } from '../../deploy/local/mesh.js';

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' });
}

/** Debian's packages, by a program of each. */
const packages = { ip: 'iproute2', nft: 'nftables' };

/** What keeps this process from making networks of its own. */
export function missingForNetworks(): string[] {
  const missing = Object.entries(packages).filter(([program]) => spawnSync(program, ['-V']).error !== undefined);
  if (missing.length > 0) return missing.map(([, name]) => `Debian's package ${name}`);
  try {
    const probe = `slp${process.pid}`;
    ip('netns', 'add', probe);
    try {
      execFileSync('ip', ['netns', 'exec', probe, 'nft', 'list', 'ruleset'], { stdio: 'pipe' });
    } finally {
      ip('netns', 'delete', probe);
    }
    return [];
  } catch {
    return ['the right to make networks, which root has,'];
  }
}

/**
 * A network of the test's own: a bridge, and for each process a namespace that reaches nothing but it. What is cut is cut by
 * rules inside a namespace; this machine's own interfaces are not touched.
 */
export class Network implements Disposable {
  /** The bridge's address, at which the stores listen. */
  readonly host: string;
  private readonly bridge = `slb${process.pid}`;
  private readonly names = new Map<string, { namespace: string; address: string }>();

  /** @param subnet the third number of 10.231.x.0/24 */
  constructor(subnet: number) {
    this.host = `10.231.${subnet}.1`;
    ip('link', 'add', this.bridge, 'type', 'bridge');
    ip('addr', 'add', `${this.host}/24`, 'dev', this.bridge);
    ip('link', 'set', this.bridge, 'up');
    process.once('exit', () => this[Symbol.dispose]());
  }

  get range(): string {
    return this.host.replace(/1$/, '0/24');
  }

  /** Where a process of this name runs; its namespace is made when it is asked for the first time. */
  placeOf(name: string): Placement {
    const { namespace, address } = this.names.get(name) ?? this.add(name);
    return { host: address, launcher: ['ip', 'netns', 'exec', namespace], env: {} };
  }

  /** From now on nothing passes between the process and a port of the stores, and nobody is told so. */
  cut(name: string, port: number): void {
    this.nft(name, 'add', 'rule', 'inet', 'cut', 'out', 'tcp', 'dport', String(port), 'drop');
    this.nft(name, 'add', 'rule', 'inet', 'cut', 'in', 'tcp', 'sport', String(port), 'drop');
  }

  /** What the process sends arrives, and it hears nothing. */
  deafen(name: string, port: number): void {
    this.nft(name, 'add', 'rule', 'inet', 'cut', 'in', 'tcp', 'sport', String(port), 'drop');
  }

  heal(name: string): void {
    this.nft(name, 'flush', 'table', 'inet', 'cut');
  }

  /** Names are asked of the bridge's address; for processes that are started later. */
  resolveByBridge(name: string): void {
    this.placeOf(name);
    const directory = this.resolverOf(this.names.get(name)?.namespace ?? '');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'resolv.conf'), `nameserver ${this.host}\noptions timeout:2 attempts:5\n`);
  }

  [Symbol.dispose](): void {
    for (const { namespace } of this.names.values()) {
      attempt(() => ip('netns', 'delete', namespace));
      rmSync(this.resolverOf(namespace), { recursive: true, force: true });
    }
    this.names.clear();
    attempt(() => ip('link', 'delete', this.bridge));
  }

  private add(name: string): { namespace: string; address: string } {
    const number = this.names.size + 2;
    const namespace = `${this.bridge}-${name}`;
    const [near, far] = [`sl${process.pid}n${number}`, `sl${process.pid}f${number}`];
    const place = { namespace, address: this.host.replace(/1$/, String(number)) };
    ip('netns', 'add', namespace);
    this.names.set(name, place);
    ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', namespace);
    ip('link', 'set', near, 'master', this.bridge, 'up');
    ip('-n', namespace, 'addr', 'add', `${place.address}/24`, 'dev', far);
    ip('-n', namespace, 'link', 'set', far, 'up');
    // Its own loopback, not this machine's.
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    this.nft(name, 'add', 'table', 'inet', 'cut');
    for (const [chain, hook] of [
      ['in', 'input'],
      ['out', 'output'],
    ] as const) {
      this.nft(name, `add chain inet cut ${chain} { type filter hook ${hook} priority 0; policy accept; }`);
    }
    return place;
  }

  private nft(name: string, ...rule: string[]): void {
    const namespace = this.names.get(name)?.namespace;
    if (namespace === undefined) throw new Error(`${name} has no network of its own`);
    execFileSync('ip', ['netns', 'exec', namespace, 'nft', ...rule], { stdio: 'pipe' });
  }

  private resolverOf(namespace: string): string {
    return join('/etc/netns', namespace);
  }
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // It is gone already.
  }
}
