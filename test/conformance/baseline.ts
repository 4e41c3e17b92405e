import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';

/** What has been published, which later versions must not break. `record` names the decision that last changed it. */
export const baseline = {
  messages: 'test/conformance/baseline/sluice.binpb',
  schema: 'test/conformance/baseline/schema.graphql',
  record: 'test/conformance/baseline/decision.txt',
} as const;

/** The line by which a decision record vouches for the baseline as it is. */
export function recordLine(): string {
  const hash = createHash('sha256');
  for (const path of [baseline.messages, baseline.schema]) {
    hash.update(existsSync(path) ? readFileSync(path) : 'absent');
  }
  return `Baseline: ${hash.digest('hex').slice(0, 16)}`;
}

export function describeStaleRecord(): string | undefined {
  const recordPath = existsSync(baseline.record) ? readFileSync(baseline.record, 'utf8').trim() : '';
  if (!/^docs\/decisions\/\d{4}-.+\.md$/.test(recordPath) || !existsSync(recordPath)) {
    return `${baseline.record} names no decision record: run \`npm run conformance:baseline -- docs/decisions/NNNN-title.md\``;
  }
  return readFileSync(recordPath, 'utf8').includes(recordLine())
    ? undefined
    : `the baseline changed, but ${recordPath} does not vouch for it with the line "${recordLine()}"`;
}
