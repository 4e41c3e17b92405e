import type { AuditRecord } from '#libs/database';
import type { UserRow } from './user.types.js';

/** For the audit log, in the transaction that makes the user. */
export function auditedNewUser(row: UserRow): AuditRecord {
  return { action: 'user.created', target: targetOf(row), workspaceId: row.workspaceId, after: sideOf(row) };
}

/** For the audit log, in the transaction that changes the user; one that only disables or enables has a name of its own. */
export function auditedChange(before: UserRow, after: UserRow): AuditRecord {
  const action =
    before.disabled === after.disabled ? 'user.updated' : after.disabled ? 'user.disabled' : 'user.enabled';
  return {
    action,
    target: targetOf(after),
    workspaceId: after.workspaceId,
    before: sideOf(before),
    after: sideOf(after),
  };
}

function targetOf({ id, email }: UserRow): AuditRecord['target'] {
  return { type: 'user', id, name: email };
}

function sideOf({ email, name, roleNames, groupNames, attributes, disabled }: UserRow): object {
  return { email, name, roleNames: roleNames.toSorted(), groupNames: groupNames.toSorted(), attributes, disabled };
}
