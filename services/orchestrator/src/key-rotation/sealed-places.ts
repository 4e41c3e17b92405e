import type { SealedPlace } from '#libs/database';

/** What the orchestrator keeps sealed for good; the secret values of runs go with their runs. */
export const sealedPlaces: readonly SealedPlace[] = [
  { table: 'orchestrator.webhook', id: 'id', column: 'secret' },
  { table: 'orchestrator.webhook', id: 'id', column: 'old_secret' },
];
