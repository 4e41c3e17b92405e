// `npm stop`: ends what `npm start` began, and waits for it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const help = `npm stop [-- --help]

Drains and ends the services, Redis and PostgreSQL that \`npm start\` began.
Exit codes: 0 stopped or not running, 1 it did not end in time, 2 wrong options.`;

const directory =
  process.env['SLUICE_LOCAL_DIRECTORY'] ?? join(fileURLToPath(new URL('../..', import.meta.url)), '.sluice');
const file = join(directory, 'running.json');

function readOptions() {
  try {
    return parseArgs({ options: { help: { type: 'boolean', default: false } } }).values;
  } catch (error) {
    console.error(`${error.message}\n\n${help}`);
    process.exit(2);
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

if (readOptions().help) {
  console.log(help);
  process.exit(0);
}
const launcher = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).launcher : undefined;
if (launcher === undefined || !isAlive(launcher)) {
  console.log('Sluice is not running.');
  process.exit(0);
}
process.kill(launcher, 'SIGTERM');
const deadline = Date.now() + 60_000;
while (isAlive(launcher)) {
  if (Date.now() > deadline) {
    console.error(`The launcher (process ${launcher}) has not ended within 60 s.`);
    process.exit(1);
  }
  await wait(100);
}
console.log('Sluice has stopped.');
