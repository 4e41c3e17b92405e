// Ends a vitest run with "N passed, N failed" alone on a line; under run-steps.mjs it leaves it the figures to add up.
// A file that could not be loaded and an error outside every test count as failures.
import { writeFileSync } from 'node:fs';

export class SummaryReporter {
  onTestRunEnd(testModules, unhandledErrors) {
    let passed = 0;
    let failed = unhandledErrors.length;
    for (const testModule of testModules) {
      const states = [...testModule.children.allTests()].map((test) => test.result().state);
      passed += states.filter((state) => state === 'passed').length;
      const failedHere = states.filter((state) => state === 'failed').length;
      failed += testModule.state() === 'failed' ? Math.max(failedHere, 1) : failedHere;
    }
    const summaryPath = process.env.SLUICE_TEST_SUMMARY;
    if (summaryPath === undefined) {
      process.stdout.write(`${passed} passed, ${failed} failed\n`);
    } else {
      writeFileSync(summaryPath, JSON.stringify({ passed, failed }));
    }
  }
}

// vitest loads a reporter given by path through the default export.
export default SummaryReporter;
