import type { KeyManagement } from './key-management.js';
import { LocalKeyManagement } from './local-key-management.js';
import { VaultKeyManagement, type VaultSettings } from './vault-key-management.js';

/** As the settings name it. */
export type KeyManagementSettings =
  | { readonly kind: 'none' }
  | { readonly kind: 'local'; readonly key: string }
  | ({ readonly kind: 'vault' } & VaultSettings);

/** Undefined where nothing seals the master keys. */
export function keyManagementOf(settings: KeyManagementSettings): KeyManagement | undefined {
  switch (settings.kind) {
    case 'none':
      return undefined;
    case 'local':
      return new LocalKeyManagement(settings.key);
    case 'vault':
      return new VaultKeyManagement(settings);
  }
}
