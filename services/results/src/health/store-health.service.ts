import type { HealthReport } from '#libs/contracts';
import type { DatabaseState } from '#libs/database';
import { Examination } from '#libs/doctor';
import type { ResultsConfig } from '../results.config.js';

/** Whether what lies in a directory is asked for from more machines than one. */
export class StoreHealth {
  constructor(
    private readonly database: Pick<DatabaseState, 'query'>,
    private readonly config: Pick<ResultsConfig, 'store'>,
  ) {}

  async examine(): Promise<HealthReport> {
    const examination = new Examination('Result store');
    await examination.check('results.store', async () => {
      if (this.config.store.kind !== 'directory') return [];
      const [row] = await this.database.query<{ machines: number }>(
        `select count(distinct client_addr)::integer as machines from pg_stat_activity
         where application_name = 'sluice-results' and datname = current_database()`,
      );
      const machines = row?.machines ?? 0;
      if (machines < 2) return [];
      return [
        {
          severity: 'WARNING',
          what: `The results of ${machines} machines lie in a directory.`,
          why: 'They see the same one, or would not have started; but when its file system is away, so is every result.',
          mend: 'Set SLUICE_STORE=s3, as docs/results.md has it',
        },
      ];
    });
    return examination.report;
  }
}
