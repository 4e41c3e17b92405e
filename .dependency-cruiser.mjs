// Who may import whom; the reasons are in docs/decisions/0001-toolchain-and-checks.md.

// A library looks only at rows above its own. Two libraries of one row do not know each other.
const layers = [
  ['kernel'],
  ['contracts', 'config', 'telemetry', 'sql', 'source-types', 'encryption', 'networks', 'outbound'],
  ['receivers'],
  ['redis', 'database'],
  ['bus'],
  ['identity', 'result-store', 'doctor'],
  ['service'],
  ['testing'],
];

const testFile = '\\.(spec|int-spec)\\.ts$';
// What the suites of one service or library share; it is not shipped either.
const testFolder = '^(services|libs|deploy)/[^/]+/test/';
const known = layers.flat().join('|');

const layerRules = layers.flatMap((row, index) =>
  row.map((lib) => {
    const notBelow = layers
      .slice(index)
      .flat()
      .filter((other) => other !== lib);
    return {
      name: `layer-${lib}`,
      comment: `libs/${lib} looks down only: kernel < ... < testing, and never sideways.`,
      severity: 'error',
      // A library's own tests may use the servers and builders of libs/testing.
      from: { path: `^libs/${lib}/`, pathNot: [testFile, testFolder] },
      to: { path: `^libs/(${[...notBelow, 'no-such-lib'].join('|')})/` },
    };
  }),
);

/** Modules that only some files may reach. `to` matches what is resolved, so node_modules/... */
function reservedRule(name, packages, allowedFrom, comment) {
  return {
    name,
    comment,
    severity: 'error',
    from: { path: '^(services|libs)/', pathNot: [...allowedFrom, testFile, testFolder] },
    to: { path: `node_modules/(${packages})(/|$)` },
  };
}

export default {
  forbidden: [
    ...layerRules,
    {
      name: 'layer-unknown',
      comment: 'A new library gets its row in the table of .dependency-cruiser.mjs first.',
      severity: 'error',
      from: { path: '^libs/', pathNot: `^libs/(${known})/` },
      to: {},
    },
    {
      name: 'tests-look-sideways',
      comment: "A library's tests reach the libraries below it and libs/testing, no others.",
      severity: 'error',
      from: { path: `^libs/([^/]+)/.*${testFile}` },
      to: { path: '^(services|test)/' },
    },
    {
      name: 'public-face',
      comment: 'What a library does not export from src/index.ts is its own affair.',
      severity: 'error',
      from: { path: '^(libs|services|test|deploy)/', pathNot: '^libs/' },
      to: { path: '^libs/[^/]+/', pathNot: '^libs/[^/]+/src/index\\.ts$' },
    },
    {
      name: 'public-face-of-libs',
      comment: 'Libraries reach each other through src/index.ts too.',
      severity: 'error',
      from: { path: '^libs/([^/]+)/' },
      to: { path: '^libs/[^/]+/', pathNot: ['^libs/$1/', '^libs/[^/]+/src/index\\.ts$'] },
    },
    {
      name: 'services-apart',
      comment: 'A service imports itself and libraries. What two services share is in proto/.',
      severity: 'error',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^services/', pathNot: '^services/$1/' },
    },
    {
      name: 'services-unseen',
      comment: 'Nothing in a service is imported from outside its folder, by a test either.',
      severity: 'error',
      from: { path: '^(libs|test|deploy)/' },
      to: { path: '^services/' },
    },
    {
      name: 'testing-not-shipped',
      comment: 'libs/testing is for tests; the issuer to try single sign-on with is theirs.',
      severity: 'error',
      from: {
        path: '^(services|libs|deploy)/',
        pathNot: [testFile, testFolder, '^libs/testing/', '^deploy/local/oidc-issuer\\.ts$'],
      },
      to: { path: '^libs/testing/' },
    },
    {
      name: 'edge-is-the-top',
      comment: 'Inside a service: edge -> service -> repository, store or client, never back.',
      severity: 'error',
      from: { path: '\\.(service|repository|store|client|entity)\\.ts$' },
      to: { path: '\\.(resolver|controller|consumer|processor)\\.ts$' },
    },
    {
      name: 'storage-is-the-bottom',
      comment: 'Inside a service: edge -> service -> repository, store or client, never back.',
      severity: 'error',
      from: { path: '^services/.*\\.(repository|store|client|entity)\\.ts$' },
      to: { path: '^services/.*\\.service\\.ts$' },
    },
    {
      name: 'kernel-is-pure',
      comment: 'libs/kernel has no Nest, no input or output and no dependency.',
      severity: 'error',
      from: { path: '^libs/kernel/', pathNot: testFile },
      to: {
        dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'core'],
        pathNot: '^(node:)?(crypto|util|timers|timers/promises|async_hooks|perf_hooks|buffer|assert)$',
      },
    },
    {
      name: 'contracts-are-plain',
      comment: 'libs/contracts knows messages: no Redis, no Nest.',
      severity: 'error',
      from: { path: '^libs/contracts/', pathNot: testFile },
      to: { path: 'node_modules/(@nestjs|ioredis|bullmq)(/|$)' },
    },
    {
      name: 'sql-has-no-connection',
      comment: "libs/sql works on text; DuckDB's parser is to be had only as an empty instance of DuckDB.",
      severity: 'error',
      from: { path: '^libs/sql/', pathNot: [testFile, '^libs/sql/src/duckdb/duckdb-parser\\.ts$'] },
      to: { path: 'node_modules/(pg|pg-cursor|typeorm|@duckdb|ioredis)(/|$)' },
    },
    reservedRule(
      'typeorm-at-the-edge',
      'typeorm|@nestjs/typeorm',
      [
        '^libs/(database|testing)/',
        '\\.(repository|entity|module)\\.ts$',
        '(^|/|\\.)data-source\\.ts$',
        '/migrations/',
      ],
      'TypeORM only in repositories, entities, modules, data sources and migrations.',
    ),
    reservedRule(
      'drivers-in-the-worker',
      'pg|pg-cursor|@duckdb',
      ['^services/worker/', '^libs/(database|testing)/', '^libs/sql/src/duckdb/duckdb-parser\\.ts$'],
      'Only workers talk to data sources, so that no query runs in the process that people are connected to.',
    ),
    reservedRule(
      'graphql-in-the-gateway',
      '@nestjs/graphql|@nestjs/apollo|@apollo/server|@as-integrations|graphql-ws|graphql',
      ['^services/gateway/', '^libs/testing/'],
      'GraphQL is the gateway alone.',
    ),
    reservedRule(
      'protobuf-in-contracts',
      '@bufbuild/protobuf',
      ['^libs/contracts/'],
      'Protobuf types stop at libs/contracts; everyone else has domain types.',
    ),
    {
      name: 'no-cycles',
      comment: 'Modules in a circle load in an order nobody chose.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolved',
      comment: 'An import that leads nowhere is also one that no rule has seen.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-undeclared-package',
      comment: 'What is shipped uses what package.json declares under dependencies.',
      severity: 'error',
      from: { path: '^(services|libs)/', pathNot: [testFile, testFolder, '^libs/testing/'] },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    // swc's visitor does not know `using` and stops the cruise. TypeScript 6 reads all; 7 would read nothing.
    parser: 'tsc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^dist/'] },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default', 'require'],
      extensions: ['.ts', '.js', '.mjs', '.d.ts', '.json'],
    },
  },
};
