/**
 * What keeps the keys that the master keys are sealed by. A service asks it at its start only: what it opens stays in memory,
 * so that it may be away while services run.
 */
export interface KeyManagement {
  /** @param name what the key is bound to: under another name it does not open */
  seal(key: Uint8Array, name: string): Promise<string>;
  /** @throws AppError `secret.unreadable` where it was changed, or is of another name or key */
  open(sealed: string, name: string): Promise<Uint8Array>;
}

/** The text of SLUICE_MASTER_KEYS with each key opened; what it throws repeats no part of a key. */
export async function openMasterKeys(text: string, management: KeyManagement): Promise<string> {
  const entries = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const opened = await Promise.all(
    entries.map(async (entry, index) => {
      const colon = entry.indexOf(':');
      if (colon < 1) throw new Error(`master key ${index + 1} has no id in front of a colon`);
      const id = entry.slice(0, colon);
      const key = await management.open(entry.slice(colon + 1), id);
      return `${id}:${Buffer.from(key).toString('base64')}`;
    }),
  );
  return opened.join(',');
}
