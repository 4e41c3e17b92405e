import type { LookupOptions } from 'node:dns';
import { lookup as resolveName } from 'node:dns/promises';
import type { RequestOptions } from 'node:http';
import { isIP, type BlockList, type TcpNetConnectOpts } from 'node:net';
import { callbackify } from 'node:util';
import { networkList } from './network-list.js';
import { RefusedAddress } from './refused-address.js';

export interface NamedAddress {
  readonly address: string;
  readonly family: number;
}

/** All addresses of a name. */
export type ResolveName = (hostname: string) => Promise<NamedAddress[]>;

/**
 * Where a request may go whose address somebody else has chosen: to the public Internet by HTTPS, and to networks that the
 * operator has named in any way. The very addresses that are connected to are checked: a name is resolved once, in the
 * connection itself, and what it resolves to is not asked again.
 */
export class NetworkGuard {
  private readonly allowed: BlockList;

  constructor(
    allowedNetworks: readonly string[],
    private readonly resolve: ResolveName = (hostname) => resolveName(hostname, { all: true }),
  ) {
    this.allowed = networkList(allowedNetworks);
  }

  /** Whether the URL itself rules out that anything can be sent there; a name is looked up when it is connected to. */
  async isRefused({ protocol, hostname }: URL): Promise<boolean> {
    const host = unbracketed(hostname);
    return isIP(host) !== 0 && !(await this.mayReach(host, protocol));
  }

  /**
   * Options of one request.
   * @throws RefusedAddress where the URL names an address itself, which no connection would look up
   */
  async optionsFor(url: URL): Promise<RequestOptions & Pick<TcpNetConnectOpts, 'autoSelectFamily'>> {
    if (await this.isRefused(url)) throw new RefusedAddress();
    return {
      // A connection of its own, closed behind it. Whoever keeps connections shares them with no other guard.
      agent: false,
      // Has the lookup asked for all addresses, which is the one form of answer that it gives.
      autoSelectFamily: true,
      lookup: callbackify((hostname: string, _options: LookupOptions) => this.checkedAddresses(hostname, url.protocol)),
    };
  }

  /**
   * In the place of the system's own lookup: what it gives back is what the socket connects to.
   * @throws RefusedAddress
   */
  async checkedAddresses(hostname: string, protocol: string): Promise<NamedAddress[]> {
    const addresses = await this.resolve(hostname);
    if (addresses.length === 0) throw new RefusedAddress();
    // One bad address among good ones is a trap: which one is connected to would be left to chance.
    for (const { address } of addresses) if (!(await this.mayReach(address, protocol))) throw new RefusedAddress();
    return addresses;
  }

  private async mayReach(address: string, protocol: string): Promise<boolean> {
    // Loaded with the first request: most installations have none.
    const { mayReach } = await import('./may-reach.js');
    return mayReach(address, protocol, this.allowed);
  }
}

function unbracketed(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}
