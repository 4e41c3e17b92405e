import type { authRequests, RequestOf } from '#libs/contracts';
import { isPermission, type Permission } from '#libs/identity';
import { Issues } from '../input/issues.js';
import { checkName } from '../input/text.js';
import type { ApiKeyRow } from './api-key.repository.js';

export interface ParsedApiKey {
  readonly name: string;
  readonly permissions: readonly Permission[] | undefined;
  readonly expiresAt: Date | undefined;
}

interface Maker {
  readonly permissions: ReadonlySet<Permission>;
  /** The API key that the caller came with, if any: what it makes must not outgrow it. */
  readonly key: ApiKeyRow | undefined;
}

/** @throws AppError with every fault at its place */
export function parseApiKey(
  input: RequestOf<typeof authRequests.createApiKey>,
  maker: Maker,
  nowMs: number,
): ParsedApiKey {
  const issues = new Issues();
  const { expiresAt } = input;
  if (expiresAt && !(expiresAt.getTime() > nowMs)) issues.add(['expiresAt'], 'expiresAt must lie in the future.');
  const parsed = {
    name: checkName(input.name, ['name'], issues),
    permissions: input.permissions && checkPermissions(input.permissions.values, maker, issues),
    expiresAt,
  };
  if (maker.key) refuseOutgrown(parsed, maker.key, issues);
  issues.throwIfAny();
  return parsed;
}

function checkPermissions(names: readonly string[], { permissions }: Maker, issues: Issues): readonly Permission[] {
  for (const [index, name] of names.entries()) {
    const path = ['permissions', String(index)];
    if (!isPermission(name)) issues.add(path, `There is no permission ${JSON.stringify(name.slice(0, 100))}.`);
    else if (!permissions.has(name)) issues.forbid(path, `You do not have the permission ${name} yourself.`);
  }
  return [...new Set(names.filter(isPermission))];
}

function refuseOutgrown({ permissions, expiresAt }: ParsedApiKey, maker: ApiKeyRow, issues: Issues): void {
  if (maker.permissions && !permissions) {
    issues.forbid(['permissions'], 'An API key with permissions of its own makes only keys with permissions.');
  }
  if (maker.expiresAt && !(expiresAt && expiresAt <= maker.expiresAt)) {
    issues.forbid(['expiresAt'], 'An API key that expires makes only keys that expire no later.');
  }
}
