// Makes the committed generated files: protobuf types, the tables of settings and of operations and, where the gateway has its script
// `generate:schema`, the served schema. With --check it compares instead, in a folder of its own, so that nothing else that runs meanwhile
// sees half-written files; in CI, where the tree is a clean checkout, that is the same as git diff --exit-code.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const messagesFolder = 'libs/contracts/src/gen';
const schemaPath = 'services/gateway/schema.graphql';
const hasSchemaScript = 'generate:schema' in JSON.parse(readFileSync('package.json', 'utf8')).scripts;
const isCheck = process.argv.includes('--check');

function run(command, args) {
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
}

function generateMessages(output) {
  run('buf', ['generate', 'proto', '--template', 'proto/buf.gen.yaml', '--output', output]);
}

function readTree(folder) {
  const files = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
  const paths = files.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]));
}

function compareMessages() {
  const output = mkdtempSync(join(tmpdir(), 'sluice-generate-'));
  try {
    generateMessages(output);
    const fresh = readTree(join(output, messagesFolder));
    const committed = readTree(messagesFolder);
    const names = new Set([...fresh.keys(), ...committed.keys()]);
    return [...names]
      .filter((name) => fresh.get(name) !== committed.get(name))
      .map((name) => join(messagesFolder, name));
  } finally {
    rmSync(output, { recursive: true });
  }
}

function build() {
  run('npm', ['run', '--silent', 'build']);
}

/** Files of one command each, made from a build. */
const fromBuild = [
  {
    path: 'docs/settings.md',
    make: () => execFileSync('node', ['deploy/tools/settings-table.mjs'], { encoding: 'utf8' }),
  },
  ...['broker', 'session', 'cache'].map((role) => ({
    path: `deploy/redis/users-${role}.acl`,
    make: () => execFileSync('node', ['deploy/tools/redis-users.ts', role], { encoding: 'utf8' }),
  })),
  {
    path: 'docs/operations.md',
    make: () => execFileSync('node', ['deploy/tools/operations-table.ts'], { encoding: 'utf8' }),
  },
  ...(hasSchemaScript
    ? [
        {
          path: schemaPath,
          make: () => execFileSync('npm', ['run', '--silent', 'generate:schema'], { encoding: 'utf8' }),
        },
      ]
    : []),
];

if (isCheck) {
  build();
  const isStale = ({ path, make }) => !existsSync(path) || readFileSync(path, 'utf8') !== make();
  const stale = [...compareMessages(), ...fromBuild.filter(isStale).map(({ path }) => path)];
  if (stale.length > 0) {
    console.error(`Not what is generated now: run \`npm run generate\` and commit\n  ${stale.join('\n  ')}`);
    process.exit(1);
  }
} else {
  generateMessages('.');
  build();
  for (const { path, make } of fromBuild) {
    writeFileSync(path, make());
  }
}
