import { randomUUID } from 'node:crypto';
import { MasterKeys, newDataKey } from '#libs/encryption';
import { newId } from '#libs/kernel';
import { signedIn } from './people.js';
import type { ApiClient } from './api-client.js';
import type { RunningMesh } from './running-mesh.js';

/**
 * Another workspace with an administrator of its own, who is signed in. The API makes no workspaces yet, so this writes what
 * the bootstrap of auth would write; the password is the first administrator's, whose hash is copied.
 */
export async function newWorkspace(mesh: RunningMesh): Promise<ApiClient> {
  const { administrator, secrets } = mesh.access;
  const [workspaceId, userId] = [newId('workspace'), newId('user')];
  const slug = `other-${randomUUID().slice(0, 8)}`;
  const email = `admin@${slug}.example`;
  const { masterKeyId, wrappedKey } = newDataKey(MasterKeys.parse(secrets.masterKeys), workspaceId);
  await mesh.sluice.query(
    'insert into auth.workspace (id, slug, name, master_key_id, wrapped_key) values ($1, $2, $2, $3, $4)',
    [workspaceId, slug, masterKeyId, wrappedKey],
  );
  await mesh.sluice.query(
    `insert into auth.user_account (id, workspace_id, email, name, name_key, password_hash, role_names)
     select $1, $2, $3, 'Another administrator', 'another administrator', password_hash, '{admin}'
     from auth.user_account where email = $4`,
    [userId, workspaceId, email, administrator.email],
  );
  return signedIn(mesh.anonymous, { email, password: administrator.password, workspace: slug });
}
