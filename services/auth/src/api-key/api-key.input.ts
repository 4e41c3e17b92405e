import type { authRequests, RequestOf } from '#libs/contracts';
import { isPermission, type Permission, type Reach } from '#libs/identity';
import { isId, type IdKind } from '#libs/kernel';
import { Issues } from '../input/issues.js';
import { isNetwork } from '../input/network.js';
import { checkPermissions } from '../input/permissions.js';
import { checkName } from '../input/text.js';
import type { ApiKeyRow } from './api-key.repository.js';
import { permissionsOfKey } from './permissions-of-key.js';

export interface ParsedApiKey {
  readonly name: string;
  readonly permissions: readonly Permission[] | undefined;
  readonly reach: Reach | undefined;
  readonly networks: readonly string[] | undefined;
  readonly expiresAt: Date | undefined;
}

interface Maker {
  readonly permissions: ReadonlySet<Permission>;
  /** The API key that the caller came with, if any: what it makes must not outgrow it. */
  readonly key: ApiKeyRow | undefined;
}

/**
 * @param ofOwner what the one whose key it is may do
 * @throws AppError with every fault at its place
 */
export function parseApiKey(
  input: RequestOf<typeof authRequests.createApiKey>,
  maker: Maker,
  ofOwner: ReadonlySet<Permission>,
  nowMs: number,
): ParsedApiKey {
  const issues = new Issues();
  const { expiresAt } = input;
  if (expiresAt && !(expiresAt.getTime() > nowMs)) issues.add(['expiresAt'], 'expiresAt must lie in the future.');
  const parsed = {
    name: checkName(input.name, ['name'], issues),
    permissions: input.permissions && checkPermissions(input.permissions.values, maker.permissions, issues),
    reach: checkReach(input, issues),
    networks: checkNetworks(input.networks?.values ?? maker.key?.networks ?? undefined, issues),
    expiresAt,
  };
  refuseUseless(input.permissions?.values ?? [], ofOwner, issues);
  if (maker.key) refuseOutgrown(parsed, maker.key, issues);
  refusePowerless(parsed, maker.permissions, issues);
  issues.throwIfAny();
  return parsed;
}

/** A key of a service account that is given what the account may not do could never do it, and looks as if it could. */
function refuseUseless(names: readonly string[], ofOwner: ReadonlySet<Permission>, issues: Issues): void {
  for (const [index, name] of names.entries()) {
    if (!isPermission(name) || ofOwner.has(name)) continue;
    const message = `The service account does not have the permission ${name} itself: give it a role that has it first.`;
    issues.add(['permissions', String(index)], message);
  }
}

/** What is looked at beside the reach alone would be a key that may do nothing, and looks as if it could. */
function refusePowerless(
  { permissions, reach, networks }: ParsedApiKey,
  ofMaker: ReadonlySet<Permission>,
  issues: Issues,
): void {
  if (!reach || !permissions || permissions.length === 0) return;
  const { dataSourceIds, savedQueryIds } = reach;
  const bounds = { permissions, dataSourceIds, savedQueryIds, networks: networks ?? null };
  if (permissionsOfKey(bounds, ofMaker).size > 0) return;
  issues.add(['permissions'], 'None of these is for data sources or saved queries: such a key could do nothing.');
}

/** They travel in each of the key's tokens. */
const idsMax = 30;
const networksMax = 20;

/** Either list alone confines too: to what it names, and to nothing of the other kind. */
function checkReach(
  { dataSourceIds, savedQueryIds }: RequestOf<typeof authRequests.createApiKey>,
  issues: Issues,
): Reach | undefined {
  if (!dataSourceIds && !savedQueryIds) return undefined;
  return {
    dataSourceIds: checkIdsOf('dataSource', dataSourceIds?.values ?? [], 'dataSourceIds', issues),
    savedQueryIds: checkIdsOf('savedQuery', savedQueryIds?.values ?? [], 'savedQueryIds', issues),
  };
}

function checkIdsOf(kind: IdKind, ids: readonly string[], field: string, issues: Issues): readonly string[] {
  if (ids.length > idsMax) issues.add([field], `A key names at most ${idsMax} of them.`);
  for (const [index, id] of ids.entries())
    if (!isId(kind, id)) issues.add([field, String(index)], 'This is no such id.');
  return [...new Set(ids)];
}

function checkNetworks(networks: readonly string[] | undefined, issues: Issues): readonly string[] | undefined {
  if (!networks) return undefined;
  if (networks.length === 0 || networks.length > networksMax) {
    issues.add(['networks'], `A key is for 1 to ${networksMax} networks, or for all.`);
  }
  for (const [index, network] of networks.entries()) {
    if (!isNetwork(network)) issues.add(['networks', String(index)], 'Give a network as 10.0.0.0/8 or 2001:db8::/32.');
  }
  return [...new Set(networks)];
}

function refuseOutgrown(key: ParsedApiKey, maker: ApiKeyRow, issues: Issues): void {
  const { permissions, expiresAt, reach, networks } = key;
  const isWithin = (ids: readonly string[] | undefined, makers: readonly string[] | null): boolean =>
    !makers || (ids !== undefined && ids.every((id) => makers.includes(id)));
  if (!isWithin(reach?.dataSourceIds, maker.dataSourceIds) || !isWithin(reach?.savedQueryIds, maker.savedQueryIds)) {
    issues.forbid(['dataSourceIds'], 'An API key that is confined makes only keys that reach no more.');
  }
  if (!isWithin(networks, maker.networks)) {
    issues.forbid(['networks'], 'An API key of some networks makes only keys of these.');
  }
  if (maker.permissions && !permissions) {
    issues.forbid(['permissions'], 'An API key with permissions of its own makes only keys with permissions.');
  }
  if (maker.expiresAt && !(expiresAt && expiresAt <= maker.expiresAt)) {
    issues.forbid(['expiresAt'], 'An API key that expires makes only keys that expire no later.');
  }
}
