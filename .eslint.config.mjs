import tseslint from 'typescript-eslint';

const testFiles = ['**/*.spec.ts', '**/*.int-spec.ts', 'test/**/*.ts', 'libs/testing/**/*.ts'];
const shippedFiles = ['libs/*/src/**/*.ts', 'services/*/src/**/*.ts'];
const toolConfigs = ['**/*.config.ts', '**/*.config.mjs', '.*.mjs', 'deploy/tools/summary-reporter.mjs'];
// These rules describe generated text and one-off statements, whose length and shape nobody chooses.
const generatedFiles = ['**/migrations/**', 'libs/contracts/src/gen/**'];

const environmentMessage = 'Settings are read, checked and frozen by #libs/config; take them from there.';

// Node runs some files under test/ as they are, so tsc allows .ts in an import. What is built is .js at run time.
const builtNames = { regex: '^\\..*\\.ts$', message: 'Name the built file: .js.' };

const namedExports = {
  selector: 'ExportDefaultDeclaration',
  message: 'Named exports only.',
};
const explicitReexports = {
  selector: 'ExportAllDeclaration',
  message: 'Name what is exported; no `export *`.',
};

export default tseslint.config(
  {
    ignores: ['dist/**', 'coverage/**', 'node_modules/**', '.sluice/**', 'libs/contracts/src/gen/**'],
  },
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'no-restricted-syntax': ['error', namedExports, explicitReexports],
      eqeqeq: 'error',
      'no-console': 'off',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-warning-comments': ['error', { terms: ['fixme', 'xxx'], location: 'start' }],
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-exports': 'error',
      // In a file with decorators this rule says nothing, because the metadata needs classes as values.
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-empty-function': ['error', { allow: ['private-constructors', 'arrowFunctions'] }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      // An async method without await is how an interface of promises is kept by something synchronous.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      // A default branch does not excuse a missing member of one of our own unions, unless it throws or says why.
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/unbound-method': 'error',
    },
  },
  {
    files: shippedFiles,
    ignores: [...testFiles, ...generatedFiles],
    rules: {
      'max-lines': ['error', { max: 400 }],
      'no-console': 'error',
      'no-restricted-imports': ['error', { patterns: [builtNames] }],
    },
  },
  {
    files: shippedFiles,
    ignores: [...testFiles, 'libs/config/**'],
    rules: {
      'no-restricted-properties': ['error', { object: 'process', property: 'env', message: environmentMessage }],
      'no-restricted-imports': [
        'error',
        {
          paths: ['process', 'node:process'].map((name) => ({
            name,
            importNames: ['env', 'default'],
            message: environmentMessage,
          })),
          patterns: [builtNames],
        },
      ],
    },
  },
  {
    files: testFiles,
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: toolConfigs,
    rules: { 'no-restricted-syntax': ['error', explicitReexports] },
  },
);
