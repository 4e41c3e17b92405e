import { Command, Option } from 'commander';
import { costReport, groupings, totalOf, type CostLine, type Grouping } from '../../history/cost-report.ts';
import { History } from '../../history/history.ts';
import { shown, table } from '../table.ts';
import { wholeNumber } from '../whole-number.ts';

interface Options {
  readonly by: Grouping;
  readonly days: number;
  readonly limit: number;
  readonly json: boolean;
}

const cost = new Command('cost')
  .description(
    'Says what was run at data sources and what the cache has spared them: runs, seconds and bytes.\n' +
      'An answer that was kept or shared counts as one run more of as many seconds and bytes as the one it came from.',
  )
  .addOption(new Option('--by <what>', 'a line for each').choices(Object.keys(groupings)).default('source'))
  .option('--days <n>', 'of the last so many days', wholeNumber, 30)
  .option('--limit <n>', 'at most so many lines, the most spared first', wholeNumber, 50)
  .option('--json', 'print JSON', false)
  .addHelpText(
    'after',
    `
Reads SLUICE_ORCHESTRATOR_DATABASE_URL as the orchestrator does, in read-only transactions. Of a history with more than
200,000 executions a sample is read, and the report says so.
Exit codes: 0 done, 1 failed, 2 wrong options.`,
  )
  .action(reportCost);

export const report = new Command('report')
  .description('Reports from the history of executions.')
  .addCommand(cost)
  .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong options.');

async function reportCost({ by, days, limit, json }: Options): Promise<void> {
  const history = await History.open();
  try {
    const lines = await costReport(history, { by, days, limit });
    const total = totalOf(lines);
    const { sample } = history;
    console.log(json ? JSON.stringify({ by, days, sample, lines, total }) : forPeople({ by, lines, total }));
    if (!json && sample.percent < 100) {
      console.log(`\nEstimated from ${shown(sample.percent)} % of ${shown(sample.executionsEstimated)} executions.`);
    }
  } finally {
    await history.close();
  }
}

function forPeople({ by, lines, total }: { by: Grouping; lines: readonly CostLine[]; total: CostLine }): string {
  const head = [by, 'executions', 'runs', 'seconds', 'MB', 'spared runs', 'seconds', 'MB', 'spared of all'];
  return table(
    head,
    [...lines, total].map((line) => [
      line.of,
      ...[line.executions, line.runs, line.runSeconds, line.runBytes / 1e6].map(shown),
      ...[line.savedRuns, line.savedSeconds, line.savedBytes / 1e6].map(shown),
      `${shown((100 * line.savedSeconds) / Math.max(line.savedSeconds + line.runSeconds, Number.MIN_VALUE))} %`,
    ]),
  );
}
