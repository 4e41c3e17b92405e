// Publishes the present messages and schema as the baseline: npm run conformance:baseline -- docs/decisions/NNNN-title.md
// The record says what changed, for whom it breaks and why that is right; it gets the line that vouches for the baseline.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { baseline, recordLine } from './baseline.ts';

const servedPath = 'services/gateway/schema.graphql';
const recordPath = process.argv[2];

if (recordPath === undefined || !/^docs\/decisions\/\d{4}-.+\.md$/.test(recordPath) || !existsSync(recordPath)) {
  console.error('A new baseline needs a decision record: npm run conformance:baseline -- docs/decisions/NNNN-title.md');
  process.exit(2);
}

execFileSync('buf', ['build', 'proto', '--exclude-source-info', '--output', baseline.messages], { stdio: 'inherit' });
if (existsSync(servedPath)) {
  copyFileSync(servedPath, baseline.schema);
}
const record = readFileSync(recordPath, 'utf8');
const withoutOldLine = record.replace(/^Baseline: [0-9a-f]{16}\n?/m, '').trimEnd();
writeFileSync(recordPath, `${withoutOldLine}\n\n${recordLine()}\n`);
writeFileSync(baseline.record, `${recordPath}\n`);
console.log(`The baseline is new, and ${recordPath} vouches for it. Commit both.`);
