import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const wellFormed = {
  'libs/kernel/src/index.ts': "export { now } from './clock.js';",
  'libs/kernel/src/clock.ts': 'export const now = 1;',
  'libs/kernel/src/clock.spec.ts': "import { now } from './clock.js';\nimport 'typeorm';\nexport const seen = now;",
  'libs/bus/src/index.ts': "import { now } from '#libs/kernel';\nexport const bus = now;",
  'libs/identity/src/index.ts': "import { bus } from '#libs/bus';\nexport const identity = bus;",
  'libs/testing/src/server.int-spec.ts':
    "import { testing } from './index.js';\nexport const check = async () => { await using server = testing; return server; };",
  'libs/testing/src/index.ts': "import { bus } from '#libs/bus';\nexport const testing = bus;",
  'services/auth/src/user.service.ts': "import { bus } from '#libs/bus';\nexport const user = bus;",
  'services/auth/src/user.resolver.ts': "import { user } from './user.service.js';\nexport const resolver = user;",
  'services/auth/src/user.repository.ts': "import 'typeorm';\nexport const repository = 1;",
};

/** Each file, added to the well-formed tree, breaks the rule it stands beside. */
const offences: [rule: string, path: string, text: string][] = [
  ['layer-kernel', 'libs/kernel/src/up.ts', "import { bus } from '#libs/bus';\nexport const up = bus;"],
  [
    'layer-bus',
    'libs/bus/src/up.ts',
    "import type { identity } from '#libs/identity';\nexport type Up = typeof identity;",
  ],
  ['layer-unknown', 'libs/utils/src/index.ts', "import { now } from '#libs/kernel';\nexport const utils = now;"],
  [
    'public-face',
    'services/auth/src/deep.ts',
    "import { now } from '../../../libs/kernel/src/clock.js';\nexport const deep = now;",
  ],
  [
    'public-face-of-libs',
    'libs/bus/src/deep.ts',
    "import { now } from '../../kernel/src/clock.js';\nexport const deep = now;",
  ],
  [
    'services-apart',
    'services/worker/src/peek.ts',
    "import type { user } from '../../auth/src/user.service.js';\nexport type Peek = typeof user;",
  ],
  [
    'services-unseen',
    'test/e2e/peek.ts',
    "import { user } from '../../services/auth/src/user.service.js';\nexport const peek = user;",
  ],
  [
    'testing-not-shipped',
    'services/auth/src/shipped.ts',
    "import { testing } from '#libs/testing';\nexport const shipped = testing;",
  ],
  [
    'edge-is-the-top',
    'services/auth/src/group.service.ts',
    "import { resolver } from './user.resolver.js';\nexport const group = resolver;",
  ],
  [
    'storage-is-the-bottom',
    'services/auth/src/group.store.ts',
    "import { user } from './user.service.js';\nexport const group = user;",
  ],
  [
    'kernel-is-pure',
    'libs/kernel/src/file.ts',
    "import { readFileSync } from 'node:fs';\nexport const file = readFileSync;",
  ],
  [
    'kernel-is-pure',
    'libs/kernel/src/nest.ts',
    "import { Injectable } from '@nestjs/common';\nexport const nest = Injectable;",
  ],
  ['typeorm-at-the-edge', 'services/auth/src/sql.service.ts', "import { In } from 'typeorm';\nexport const sql = In;"],
  [
    'graphql-in-the-gateway',
    'services/auth/src/schema.ts',
    "import { Query } from '@nestjs/graphql';\nexport const schema = Query;",
  ],
  [
    'drivers-in-the-worker',
    'services/auth/src/driver.ts',
    "import { DuckDBInstance } from '@duckdb/node-api';\nexport const driver = DuckDBInstance;",
  ],
  [
    'protobuf-in-contracts',
    'services/auth/src/wire.ts',
    "import { create } from '@bufbuild/protobuf';\nexport const wire = create;",
  ],
  ['no-cycles', 'libs/bus/src/a-ring.ts', "import { ring } from './ring-end.js';\nexport { ring };"],
  ['no-unresolved', 'libs/bus/src/lost.ts', "import { lost } from './nowhere.js';\nexport { lost };"],
  ['no-undeclared-package', 'libs/bus/src/tool.ts', "import { run } from 'vitest/node';\nexport { run };"],
];

describe('the rules of who may import whom', () => {
  const trees: string[] = [];

  const plant = (files: Record<string, string>): string => {
    const tree = mkdtempSync(join(tmpdir(), 'sluice-imports-'));
    trees.push(tree);
    for (const file of ['package.json', '.dependency-cruiser.mjs', 'tsconfig.json']) {
      cpSync(join(root, file), join(tree, file));
    }
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), text);
    }
    return tree;
  };

  const check = async (tree: string): Promise<{ isPassed: boolean; text: string }> => {
    const script = join(root, 'deploy/tools/check-dependencies.mjs');
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [script], { cwd: tree });
      return { isPassed: true, text: stdout };
    } catch (error) {
      return { isPassed: false, text: (error as { stderr: string }).stderr };
    }
  };

  afterAll(() => {
    for (const tree of trees) {
      rmSync(tree, { recursive: true });
    }
  });

  it('passes a tree that keeps them', async () => {
    expect(await check(plant(wellFormed))).toMatchObject({ isPassed: true });
  });

  it('fails where nothing of ours was seen', async () => {
    const { isPassed, text } = await check(plant({ 'test/e2e/alone.ts': 'export const alone = 1;' }));
    expect(isPassed).toBe(false);
    expect(text).toContain('it proves nothing');
  });

  describe('broken', () => {
    let report: string;

    beforeAll(async () => {
      const broken = Object.fromEntries(offences.map(([, path, text]) => [path, text]));
      const otherEnd = { 'libs/bus/src/ring-end.ts': "export { ring } from './a-ring.js';" };
      report = (await check(plant({ ...wellFormed, ...otherEnd, ...broken }))).text;
    });

    it.each(offences)('%s refuses %s', (rule, path) => {
      expect(report).toContain(`${rule}: ${path}`);
    });

    it('accuses nobody else', () => {
      const accused = report.match(/^[a-z-]+: \S+/gm)?.map((line) => line.split(' ')[1]);
      const offenders = [...offences.map(([, path]) => path), 'libs/bus/src/ring-end.ts'];
      expect(accused?.filter((path) => path !== undefined && !offenders.includes(path))).toEqual([]);
    });
  });
});
