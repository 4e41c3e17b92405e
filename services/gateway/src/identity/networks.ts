import { LRUCache } from 'lru-cache';
import { BlockList, isIP } from 'node:net';
import type { Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import { plainAddress } from '#libs/networks';

/** Principals of one key have equal lists. */
const lists = new LRUCache<string, BlockList>({ max: 1_000 });

/** @throws AppError where the key is for other networks than the one it came from */
export function demandNetwork({ networks, apiKeyId }: Principal, clientAddress: string | undefined): void {
  if (!networks || isAmong(networks, clientAddress ?? '')) return;
  // Only who has the whole secret comes this far.
  const from = clientAddress ?? 'an unknown address';
  throw new AppError('auth.unauthenticated', `The API key is for other networks: this request came from ${from}.`, {
    internalMessage: `the key ${apiKeyId ?? ''} came from ${clientAddress ?? 'nowhere'}`,
  });
}

function isAmong(networks: readonly string[], address: string): boolean {
  const plain = plainAddress(address);
  const version = isIP(plain);
  return version !== 0 && listOf(networks).check(plain, version === 4 ? 'ipv4' : 'ipv6');
}

function listOf(networks: readonly string[]): BlockList {
  const key = networks.join(' ');
  const known = lists.get(key);
  if (known) return known;
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits = ''] = network.split('/');
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  lists.set(key, list);
  return list;
}
