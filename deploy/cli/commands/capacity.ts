import { Command, Option } from 'commander';
import { disagreementOf, simulatePlan } from '../../capacity/check-plan.ts';
import { readCosts, type CapacityCosts } from '../../capacity/costs.ts';
import { byProcessor } from '../../capacity/limits.ts';
import type { Demand } from '../../capacity/demand.ts';
import { usersOfOneMachine } from '../../capacity/knee.ts';
import { planFor } from '../../capacity/plan.ts';
import type { PlanSettings } from '../../capacity/planned-service.ts';
import { printForecast, type ForecastOptions } from '../capacity-forecast.ts';
import { printPlan } from '../capacity-plan.ts';
import { numberWithin } from '../numbers.ts';
import { replicas } from '../replicas.ts';
import { rightSize } from '../../capacity/right-size.ts';
import { shown, table } from '../table.ts';
import { wholeNumber } from '../whole-number.ts';

interface CapacityOptions extends Demand, PlanSettings, ForecastOptions {
  readonly costs?: string;
  readonly seed: number;
  readonly simulate: boolean;
  readonly forecast: boolean;
  readonly metrics: readonly string[];
  readonly seconds: number;
}

const share = numberWithin(0, 1);
const collect = (text: string, before: readonly string[]): string[] => [...before, text];

export const capacity = new Command('capacity')
  .description(
    'Says what must stand ready for so many users: replicas, slots, memory, connections, Redis and disk, by queueing\n' +
      'formulas and by a simulation of the same load. Slots in use are arrival rate times mean seconds.',
  )
  .option('--users <n>', 'users in all', wholeNumber, 10_000)
  .option('--active-share <share>', 'of them at work at the same time', share, 0.05)
  .option('--think-seconds <s>', 'between seeing a view and asking for the next', numberWithin(0.1, 86_400), 30)
  .option('--questions-per-view <n>', 'tiles of a dashboard, asked for at once', wholeNumber, 6)
  .option('--hit-ratio <share>', 'of the questions answered from the cache', share, 0.8)
  .option('--query-seconds <s>', 'mean time of a query at its source', numberWithin(0.001, 86_400), 5)
  .option('--query-variation <v>', 'standard deviation of these times over their mean', numberWithin(0, 10), 1)
  .option('--result-bytes <n>', 'mean size of a result as it is kept', wholeNumber, 50_000)
  .option('--busy-hours <h>', 'hours of a day with this load', numberWithin(0, 24), 8)
  .option('--utilization-max <share>', 'how busy processors and slots may be', numberWithin(0.05, 0.95), 0.7)
  .option('--wait-p95-seconds-max <s>', 'the longest wait for a processor, p95', numberWithin(0.001, 60), 0.05)
  .option('--slots-per-worker <n>', 'SLUICE_WORKER_SLOTS', wholeNumber, 4)
  .option('--sockets-per-gateway <n>', 'SLUICE_GATEWAY_SOCKETS_MAX', wholeNumber, 20_000)
  .option('--pool-max <n>', 'SLUICE_DATABASE_POOL_MAX', wholeNumber, 10)
  .option('--cores-per-machine <n>', 'processors of one machine', wholeNumber, 8)
  .option('--memory-gb-per-machine <n>', 'memory of one machine', wholeNumber, 32)
  .option('--costs <file>', 'what a question costs, where not deploy/capacity/costs.json')
  .option('--no-simulate', 'formulas alone')
  .option('--seed <n>', 'of the simulation', wholeNumber, 1)
  .option('--forecast', 'name the day on which each limit is met, by the growth in the history', false)
  .option('--within <days>', 'with --forecast: exit with 3 where a limit is met within so many days', wholeNumber, 90)
  .addOption(
    new Option(
      '--replicas <name=n>',
      `with --forecast: how many of ${byProcessor.join(', ')} run, such as gateway=3; again for each`,
    )
      .argParser(replicas)
      .default({}, 'one of each'),
  )
  .option('--database-gb <n>', 'with --forecast: the disk of PostgreSQL', wholeNumber)
  .option(
    '--metrics <url>',
    'the /metrics of a process, to say if it is too large or too small; again for each',
    collect,
    [],
  )
  .option('--seconds <s>', 'with --metrics: how long to look', numberWithin(1, 3_600), 15)
  .option('--json', 'print JSON', false)
  .addHelpText(
    'after',
    `
--forecast reads SLUICE_ORCHESTRATOR_DATABASE_URL as the orchestrator does, in read-only transactions, and at most 200,000
executions of it. What the figures mean and where they come from: docs/capacity.md.
Exit codes: 0 done, 1 failed, 2 wrong options, 3 a limit is met within the days of --within.`,
  )
  .action(run);

async function run(options: CapacityOptions): Promise<void> {
  const costs = readCosts(options.costs);
  if (options.metrics.length > 0) await printRightSizes(options);
  else if (options.forecast) process.exitCode = await printForecast(options, costs);
  else plan(options, costs);
}

function plan(options: CapacityOptions, costs: CapacityCosts): void {
  const planned = planFor(options, costs, options);
  const simulated = options.simulate ? simulatePlan(planned, costs, options.seed) : undefined;
  const oneMachine = usersOfOneMachine(options, costs, {
    cores: options.coresPerMachine,
    utilizationMax: options.utilizationMax,
  });
  const disagreement = simulated && disagreementOf(planned, simulated);
  const found = { ...planned, oneMachineUsers: oneMachine, simulated, disagreement };
  if (options.json) console.log(JSON.stringify(found));
  else printPlan(found, options, costs);
}

async function printRightSizes({ metrics, seconds, json }: CapacityOptions): Promise<void> {
  const found = await rightSize(metrics, seconds);
  if (json) console.log(JSON.stringify(found));
  else {
    const rows = found.map(({ service, utilization, memoryMb, verdict, url }) => [
      `${service} at ${url}`,
      `${shown(utilization * 100)} %`,
      `${shown(memoryMb)} MB`,
      verdict,
    ]);
    console.log(table(['process', 'processor', 'memory', 'verdict'], rows));
  }
}
