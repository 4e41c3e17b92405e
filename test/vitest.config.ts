import { resolve } from 'node:path';
import swc from 'unplugin-swc';
import { defineConfig } from 'vitest/config';

const root = resolve(import.meta.dirname, '..');

/** They start installations of their own, or none, so they can run beside those that share one. */
const apartSpecs = [
  'test/browser/*.e2e-spec.ts',
  'test/e2e/{graphql-cop,key-rotation,live-settings,local-installation}.e2e-spec.ts',
  'test/e2e/{readme,sign-in-limits,startup,webhooks}.e2e-spec.ts',
];

/** They start and stop meshes of their own again and again; `npm run test:long` runs them. */
const longSpecs = process.env['SLUICE_TEST_LONG'] === '1' ? [] : ['test/e2e/key-rotation.e2e-spec.ts'];

export default defineConfig({
  root,
  // Nest reads constructor types from decorator metadata, which the bundler's own TypeScript transform leaves out.
  plugins: [
    swc.vite({
      tsconfigFile: false,
      swcrc: false,
      jsc: {
        parser: { syntax: 'typescript', decorators: true },
        transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
        target: 'es2023',
        keepClassNames: true,
      },
      module: { type: 'es6' },
    }),
  ],
  // Tests run the libraries' sources; package.json's imports lead to dist/.
  resolve: {
    alias: [
      { find: /^#libs\/([^/]+)$/, replacement: `${root}/libs/$1/src/index.ts` },
      // Node takes this file too; the bundler would take its twin for ES modules, and graphql refuses to be there twice.
      { find: /^graphql$/, replacement: `${root}/node_modules/graphql/index.js` },
    ],
  },
  test: {
    environment: 'node',
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default', resolve(root, 'deploy/tools/summary-reporter.mjs')],
    restoreMocks: true,
    unstubEnvs: true,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{libs,services,deploy}/**/*.spec.ts', 'test/{conformance,support,bench,chaos}/**/*.spec.ts'],
          // Property tests take a second or two alone, and many times that on a machine that does other things too.
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['{libs,services,deploy}/**/*.int-spec.ts', 'test/support/**/*.int-spec.ts'],
          // Two of these leave a third of two cores idle, as they wait for servers and for time to pass.
          maxWorkers: 3,
          // Projects of different maxWorkers run one after the other; `npm run fuzz` has unit tests too.
          sequence: { groupOrder: 1 },
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.e2e-spec.ts'],
          exclude: apartSpecs,
          globalSetup: ['test/support/shared-mesh.setup.ts'],
          // Each has the mesh to itself.
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e-apart',
          include: apartSpecs,
          exclude: longSpecs,
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'chaos',
          include: ['test/chaos/**/*.chaos-spec.ts'],
          fileParallelism: false,
          testTimeout: process.env['SLUICE_CHAOS_LONG'] === '1' ? 1_800_000 : 290_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
