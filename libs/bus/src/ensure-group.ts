import type { Call } from './blocking-reader.js';

/** From the beginning and never from the end: what was sent while the group was gone is still to be read. */
export async function ensureGroup(call: Call, key: string, group: string): Promise<void> {
  try {
    await call('XGROUP', 'CREATE', key, group, '0', 'MKSTREAM');
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error;
  }
}
