// Checks who imports whom. A cruise over nothing finds no fault either, so the count of modules and of imports between
// our own files is checked first: a parser that fails, or a path that moved, must not look like order.
import { existsSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';
import { cruise } from 'dependency-cruiser';

const { default: config } = await import(pathToFileURL(resolve('.dependency-cruiser.mjs')));
const roots = ['services', 'libs', 'test', 'deploy'].filter((root) => existsSync(root));

const { output } = await cruise(
  roots,
  { ...config.options, ruleSet: { forbidden: config.forbidden }, validate: true, outputType: 'json' },
  config.options.enhancedResolveOptions,
);
const { summary, modules } = typeof output === 'string' ? JSON.parse(output) : output;

const own = modules.filter((module) => /^(services|libs)\//.test(module.source));
const betweenLibs = own.flatMap((module) => module.dependencies).filter((to) => to.resolved.startsWith('libs/'));
if (summary.totalCruised === 0 || own.length === 0 || betweenLibs.length === 0) {
  console.error(
    `The cruise saw ${summary.totalCruised} modules, ${own.length} of ours and ${betweenLibs.length} imports of libraries: it proves nothing.`,
  );
  process.exit(1);
}

for (const violation of summary.violations) {
  const circle = violation.cycle?.map((step) => step.name ?? step).join(' -> ');
  console.error(`${violation.rule.name}: ${violation.from} -> ${circle ?? violation.to}`);
  console.error(`  ${config.forbidden.find((rule) => rule.name === violation.rule.name)?.comment}`);
}
console.log(
  `${summary.totalCruised} modules, ${summary.totalDependenciesCruised} imports, ${summary.violations.length} violations`,
);
process.exitCode = summary.violations.length > 0 ? 1 : 0;
