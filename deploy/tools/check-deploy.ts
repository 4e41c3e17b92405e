// `npm run check:deploy`: checks what lies under deploy/ with the programs that read it in earnest. A program that is
// missing is named; that is no failure, for few machines have all of them.
import { parseArgs } from 'node:util';
import { findTool, type DeployCheck } from './deploy-check.ts';
import { deployChecks } from './deploy-checks.ts';

const help = `npm run check:deploy -- [options]

Checks the files under deploy/: scripts, manifests, configurations, rules.

  --only <text>  only checks whose name contains this
  --list         only say what is checked, and by which programs
  --json         print JSON: one object with the list of checks
  --help         this text

A check whose program is missing says "not checked: <program> missing". \`npm run deploy:tools\` builds those that come
from Go; .ci/run installs those that come from Debian.
Exit codes: 0 nothing wrong, 1 a check failed, 2 wrong options.`;

type Outcome =
  | { name: string; state: 'passed'; detail: string; seconds: number }
  | { name: string; state: 'failed'; detail: string; seconds: number }
  | { name: string; state: 'not checked'; detail: string };

interface Options {
  only: string;
  list: boolean;
  json: boolean;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      list: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(help);
    process.exit(0);
  }
  return values;
}

async function outcomeOf({ name, tools, run }: DeployCheck): Promise<Outcome> {
  const missing = tools.filter((tool) => findTool(tool) === undefined);
  if (missing.length > 0) return { name, state: 'not checked', detail: `${missing.join(', ')} missing` };
  const startedAt = performance.now();
  const seconds = (): number => Number(((performance.now() - startedAt) / 1_000).toFixed(1));
  try {
    return { name, state: 'passed', detail: await run(), seconds: seconds() };
  } catch (error) {
    return {
      name,
      state: 'failed',
      detail: error instanceof Error ? error.message : String(error),
      seconds: seconds(),
    };
  }
}

function lineOf(outcome: Outcome): string {
  switch (outcome.state) {
    case 'passed':
      return `ok     ${outcome.name} (${[outcome.detail, `${outcome.seconds} s`].filter(Boolean).join(', ')})`;
    case 'failed':
      return `FAILED ${outcome.name}\n${outcome.detail}`;
    case 'not checked':
      return `not checked: ${outcome.detail}: ${outcome.name}`;
  }
}

async function run({ only, list, json }: Options): Promise<void> {
  const checks = deployChecks.filter((check) => check.name.includes(only));
  if (checks.length === 0) throw new Error(`No check's name contains "${only}".`);
  if (list) {
    const rows = checks.map(({ name, tools }) => ({ name, tools }));
    console.log(
      json
        ? JSON.stringify({ checks: rows })
        : rows.map(({ name, tools }) => `${name}  [${tools.join(', ')}]`).join('\n'),
    );
    return;
  }
  const outcomes: Outcome[] = [];
  // One after another: some start servers, and a list in the order of the table is easier to read.
  for (const check of checks) {
    const outcome = await outcomeOf(check);
    outcomes.push(outcome);
    if (!json) console.log(lineOf(outcome));
  }
  const count = (state: Outcome['state']): number => outcomes.filter((outcome) => outcome.state === state).length;
  if (json) console.log(JSON.stringify({ checks: outcomes }));
  else console.log(`${count('passed')} checks passed, ${count('failed')} failed, ${count('not checked')} not checked`);
  if (count('failed') > 0) process.exitCode = 1;
}

try {
  await run(readOptions());
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
  process.exitCode = 2;
}
