// One step of the start, given as JSON in SLUICE_LOCAL_STEP, as arguments can be seen by every user of the machine.
import { loadFlightsIntoPostgres, type FlightsOptions } from './flights.ts';
import { makePostgresFiles, type PostgresFiles } from './postgres-files.ts';
import { prepareServiceDatabase, waitForPostgres } from './postgres.ts';
import { superuserUrl } from './postgres-server.ts';
import { seedProvider, type LocalIssuer } from './provider.ts';
import { seed, type SeededMesh } from './seed.ts';
import { StateDirectory } from './state-directory.ts';

export type Step =
  | ({ name: 'postgres files' } & PostgresFiles)
  | { name: 'database'; port: number; password: string }
  | ({ name: 'flights' } & FlightsOptions)
  | ({ name: 'provider'; directory: string } & LocalIssuer)
  | ({ name: 'seed'; directory: string } & Omit<SeededMesh, 'state'>);

async function run(step: Step): Promise<void> {
  switch (step.name) {
    case 'postgres files':
      return makePostgresFiles(step);
    case 'database':
      await waitForPostgres(superuserUrl(step.port, step.password, 'postgres'));
      return prepareServiceDatabase(step.port, step.password, step.password);
    case 'flights':
      return loadFlightsIntoPostgres(step);
    case 'provider':
      await seedProvider(new StateDirectory(step.directory), step);
      return;
    case 'seed':
      await seed({ ...step, state: new StateDirectory(step.directory) });
  }
}

try {
  // Given by run-step.ts alone.
  await run(JSON.parse(process.env['SLUICE_LOCAL_STEP'] ?? '{}') as Step);
  process.exit(0);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
