import { Command, Option } from 'commander';
import {
  configFilePath,
  configuredEnvironment,
  effectiveSettings,
  faultsOf,
  readConfigFile,
  type Environment,
} from '#libs/config';
import { definitionOf, serviceNames, settingsOfService, type ServiceName } from '../service-settings.ts';
import { table } from '../table.ts';

interface Options {
  readonly service?: ServiceName;
  readonly json: boolean;
}

const exits = `
Reads the environment, SLUICE_CONFIG_FILE and the files of <NAME>_FILE as the service does.`;
const service = (): Option => new Option('--service <name>', 'one of the services').choices(serviceNames);

const print = new Command('print')
  .description('Prints the settings that a service would start with, and where each comes from. Secrets are not shown.')
  .addOption(service().makeOptionMandatory())
  .option('--json', 'print JSON', false)
  .addHelpText('after', `${exits}\nExit codes: 0 printed, 1 failed, 2 wrong options.`)
  .action(printSettings);

const check = new Command('check')
  .description('Says all that is wrong with the settings: of one service, or of all with what no service knows.')
  .addOption(service())
  .option('--json', 'print JSON', false)
  .addHelpText('after', `${exits}\nExit codes: 0 nothing is wrong, 1 something is, 2 wrong options.`)
  .action(checkSettings);

export const config = new Command('config')
  .description('Prints and checks the configuration.')
  .addCommand(print)
  .addCommand(check)
  .addHelpText('after', '\nExit codes: 0 done, 1 failed or something is wrong, 2 wrong options.');

async function printSettings({ service: name, json }: Options): Promise<void> {
  if (!name) return;
  const lines = effectiveSettings(await definitionOf(name), await configuredEnvironment());
  if (json) console.log(JSON.stringify(lines));
  else
    console.log(
      table(
        ['setting', 'value', 'from'],
        lines.map(({ variable, value, from }) => [variable, value, from]),
      ),
    );
}

async function checkSettings({ service: name, json }: Options): Promise<void> {
  const env = await configuredEnvironment();
  const all = name
    ? faultsOf(await definitionOf(name), env)
    : [...(await faultsOfAll(env)), ...(await unknownSettings())];
  console.log(json ? JSON.stringify({ faults: all }) : all.length === 0 ? 'Nothing is wrong.' : all.join('\n'));
  if (all.length > 0) process.exitCode = 1;
}

/** Each fault once, with the services that have it. */
async function faultsOfAll(env: Environment): Promise<string[]> {
  const faults = await Promise.all(
    serviceNames.map(async (service) =>
      faultsOf(await definitionOf(service), env).map((fault) => ({ service, fault })),
    ),
  );
  return [...Map.groupBy(faults.flat(), ({ fault }) => fault)].map(
    ([fault, found]) => `${found.map(({ service }) => service).join(', ')}: ${fault}`,
  );
}

/** What stands in the file and no service reads: most often a slip of the pen. */
async function unknownSettings(): Promise<string[]> {
  const path = configFilePath();
  if (path === undefined) return [];
  const settings = (await Promise.all(serviceNames.map(settingsOfService))).flat();
  const known = new Set(settings.flatMap(({ variable, fallbacks }) => [variable, ...fallbacks]));
  return Object.keys(await readConfigFile(path))
    .filter((name) => !known.has(name.replace(/_FILE$/, '')) && !known.has(name))
    .map((name) => `${path} has ${name}, which no service reads. Settings are named as in docs/settings.md.`);
}
