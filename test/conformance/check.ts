// Holds the served schema against the contract and against what was published before, and the protobuf messages
// against theirs. Run by `npm run check:contract`; `npm run conformance:absent` takes what has been built off the list.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';
import { baseline, describeStaleRecord } from './baseline.ts';
import { compareSchemas } from './compare-schemas.ts';

const contractPath = 'test/conformance/core.graphql';
const absentPath = 'test/conformance/absent.txt';
const servedPath = 'services/gateway/schema.graphql';

function readLines(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : [];
}

function checkContract(faults: string[]): void {
  if (!existsSync(servedPath)) {
    if (existsSync('services/gateway/src')) {
      faults.push(`${servedPath} is missing: run \`npm run generate\` and commit it`);
    } else {
      console.log(`${servedPath} is not there yet, so nothing is served that could break the contract.`);
    }
    return;
  }
  const { differences, absent } = compareSchemas(
    buildSchema(readFileSync(contractPath, 'utf8')),
    buildSchema(readFileSync(servedPath, 'utf8')),
  );
  faults.push(...differences.map((difference) => `against the contract: ${difference}`));
  console.log(`Of the contract, ${absent.length} things are not served yet:`);
  console.log(absent.map((coordinate) => `  ${coordinate}`).join('\n'));

  const isFirstList = !existsSync(absentPath);
  const listed = readLines(absentPath);
  const grown = isFirstList ? [] : absent.filter((coordinate) => !listed.includes(coordinate));
  faults.push(...grown.map((coordinate) => `${coordinate} is absent and not in ${absentPath}, which may only shrink`));
  if (process.argv.includes('--update-absent') && grown.length === 0) {
    writeFileSync(absentPath, absent.map((coordinate) => `${coordinate}\n`).join(''));
    return;
  }
  const built = listed.filter((coordinate) => !absent.includes(coordinate));
  const update = `run \`npm run conformance:absent\` and commit ${absentPath}`;
  faults.push(...built.map((coordinate) => `${coordinate} is served now: ${update}`));
  if (isFirstList) {
    faults.push(`${absentPath} is missing: ${update}`);
  }
}

async function checkPublishedSchema(faults: string[]): Promise<void> {
  if (!existsSync(servedPath)) {
    return;
  }
  if (!existsSync(baseline.schema)) {
    faults.push(`${baseline.schema} is missing: run \`npm run conformance:baseline\``);
    return;
  }
  const changes = await diff(
    buildSchema(readFileSync(baseline.schema, 'utf8')),
    buildSchema(readFileSync(servedPath, 'utf8')),
  );
  const breaking = changes.filter((change) => change.criticality.level === CriticalityLevel.Breaking);
  faults.push(...breaking.map((change) => `against the published schema: ${change.message}`));
}

function checkPublishedMessages(faults: string[]): void {
  if (!existsSync(baseline.messages)) {
    faults.push(`${baseline.messages} is missing: run \`npm run conformance:baseline\``);
    return;
  }
  try {
    execFileSync('buf', ['breaking', 'proto', '--against', baseline.messages], { stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: Buffer; stderr?: Buffer };
    faults.push(`against the published messages: ${stdout?.toString() ?? ''}${stderr?.toString() ?? String(error)}`);
  }
}

const faults: string[] = [];
checkContract(faults);
await checkPublishedSchema(faults);
checkPublishedMessages(faults);
const staleRecord = describeStaleRecord();
if (staleRecord !== undefined) {
  faults.push(staleRecord);
}
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exitCode = 1;
}
