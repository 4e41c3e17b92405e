// `node test/chaos/check.ts <history>`: the verdict over a history that a trial has left.
import { checkHistory } from './history/check-history.ts';
import { readHistory } from './history/history-file.ts';

const [path] = process.argv.slice(2);
if (path === undefined) {
  process.stderr.write('usage: node test/chaos/check.ts .sluice/chaos/<name>.jsonl\n');
  process.exit(64);
}
const report = await checkHistory(readHistory(path));
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
process.exitCode = Object.values(report.faults).flat().length === 0 ? 0 : 1;
