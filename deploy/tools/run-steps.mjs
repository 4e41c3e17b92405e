// Runs the steps behind `npm run check` and `npm test`, all of them even where one fails, and ends with the sum of
// the tests: "N passed, N failed", alone on the last line. A step that fails without a failed test counts as one.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const checkSteps = [
  'check:types',
  'check:eslint',
  'check:generated',
  'check:format',
  'check:oxlint',
  'check:dependencies',
  'check:dead-code',
  'check:lock',
  'check:proto',
  'check:contract',
  'test:unit',
];

// For two cores, two at a time: static checks, and what asks an installation of its own, which leaves a part of them idle. The
// others take both: integration has workers enough of its own, and chaos loads an installation as far as it goes.
const suites = {
  check: [{ steps: checkSteps, parallel: 2 }],
  test: [
    { steps: [...checkSteps, 'check:deploy'], parallel: 2 },
    // This one builds too, for all after it.
    { steps: ['test:integration'], parallel: 1 },
    { steps: ['test:e2e:shared', 'test:e2e:apart'], parallel: 2 },
    { steps: ['test:chaos'], parallel: 1 },
  ],
};

const summaryFolder = mkdtempSync(join(tmpdir(), 'sluice-tests-'));

function summaryPathOf(step) {
  return join(summaryFolder, `${step.replace(':', '-')}.json`);
}

function runStep(step, isLive) {
  const startedAtMs = Date.now();
  console.log(`> ${step}`);
  return new Promise((resolve) => {
    const output = [];
    const child = spawn('npm', ['run', '--silent', step], {
      stdio: isLive ? 'inherit' : ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', SLUICE_TEST_SUMMARY: summaryPathOf(step) },
    });
    child.stdout?.on('data', (chunk) => output.push(chunk));
    child.stderr?.on('data', (chunk) => output.push(chunk));
    child.on('error', (error) => output.push(Buffer.from(String(error))));
    child.on('close', (status) => {
      const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(1);
      const text = Buffer.concat(output).toString().trimEnd();
      const summary = readSummary(step);
      // A library in the runner's process may end it with a status of its own.
      const isPassed = status === 0 && summary.failed === 0;
      console.log(`${isPassed ? 'ok    ' : 'FAILED'} ${step} (${seconds} s)${text === '' ? '' : `\n${text}\n`}`);
      resolve({ step, isPassed, ...summary });
    });
  });
}

async function runGroup({ steps, parallel }) {
  const waiting = [...steps];
  const outcomes = [];
  const runNext = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      outcomes.push(await runStep(step, parallel === 1));
    }
  };
  await Promise.all(Array.from({ length: parallel }, runNext));
  return outcomes;
}

function readSummary(step) {
  const path = summaryPathOf(step);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : { passed: 0, failed: 0 };
}

const groups = suites[process.argv[2]];
if (groups === undefined) {
  console.error(`Usage: run-steps.mjs ${Object.keys(suites).join(' | ')}`);
  process.exit(2);
}

const startedAtMs = Date.now();
const outcomes = [];
for (const group of groups) {
  outcomes.push(...(await runGroup(group)));
}
rmSync(summaryFolder, { recursive: true });

const failedSteps = outcomes.filter((outcome) => !outcome.isPassed);
const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
const failedTests = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
const failed = failedTests + failedSteps.filter((outcome) => outcome.failed === 0).length;

console.log(`\n${outcomes.length} steps in ${((Date.now() - startedAtMs) / 1000).toFixed(0)} s`);
if (failedSteps.length > 0) {
  console.log(`Failed steps: ${failedSteps.map((outcome) => outcome.step).join(', ')}`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failedSteps.length > 0 ? 1 : 0;
