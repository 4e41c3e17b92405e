// Completes package-lock.json with the optional packages of other platforms.
//
// A registry that does not serve a platform's packages makes npm leave them out of the lock file, and `npm ci` on
// another npm then stops with "Missing: ... from lock file". Each missing one gets a stub of what its dependant states:
// version, os, cpu. It has no integrity, so npm takes the package as the registry gives it where it is really wanted.
// With --check nothing is written. Plain Node, no dependency: it also has to run where nothing is installed.
import { readFileSync, writeFileSync } from 'node:fs';

const lockPath = new URL('../../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(lockPath, 'utf8'));
const checkOnly = process.argv.includes('--check');

const operatingSystems = {
  aix: 'aix',
  android: 'android',
  darwin: 'darwin',
  freebsd: 'freebsd',
  linux: 'linux',
  linuxmusl: 'linux',
  netbsd: 'netbsd',
  openbsd: 'openbsd',
  openharmony: 'openharmony',
  sunos: 'sunos',
  win32: 'win32',
  windows: 'win32',
};
const processors = {
  aarch64: 'arm64',
  arm: 'arm',
  arm64: 'arm64',
  armv7: 'arm',
  ia32: 'ia32',
  loong64: 'loong64',
  ppc64: 'ppc64',
  ppc64le: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
  x64: 'x64',
};
const cLibraries = { gnu: 'glibc', musl: 'musl', linuxmusl: 'musl' };

function isLocked(dependant, name) {
  let folder = dependant;
  for (;;) {
    if (lock.packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`] !== undefined) {
      return true;
    }
    if (folder === '') {
      return false;
    }
    const parentEnd = folder.lastIndexOf('/node_modules/');
    folder = parentEnd < 0 ? '' : folder.slice(0, parentEnd);
  }
}

function stubOf(name, version, dependant) {
  const words = name.split(/[-/]/);
  const os = words.map((word) => operatingSystems[word]).find(Boolean);
  const cpu = words.map((word) => processors[word]).find(Boolean);
  const libc = words.map((word) => cLibraries[word]).find(Boolean);
  if (!/^\d+\.\d+\.\d+/.test(version) || os === undefined || cpu === undefined) {
    throw new Error(`${name}@${version}, asked for by ${dependant}, is not in the lock file and names no platform`);
  }
  return {
    version,
    cpu: [cpu],
    ...(lock.packages[dependant].dev ? { dev: true } : {}),
    ...(libc === undefined ? {} : { libc: [libc] }),
    optional: true,
    os: [os],
  };
}

const faults = [];
const stubs = {};
for (const [dependant, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (!isLocked(dependant, name)) {
      stubs[`node_modules/${name}`] = stubOf(name, version, dependant);
    }
  }
  if (entry.resolved !== undefined && !entry.resolved.startsWith('https://registry.npmjs.org/')) {
    faults.push(`${dependant} is resolved to ${entry.resolved}: only the public registry may be named`);
  }
}

const stubCount = Object.keys(stubs).length;
if (checkOnly && stubCount > 0) {
  faults.push(`${stubCount} optional packages of other platforms are missing: run \`npm run lock\``);
}
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(1);
}
if (stubCount > 0) {
  const { '': root, ...rest } = { ...lock.packages, ...stubs };
  const sorted = Object.entries(rest).sort(([left], [right]) => left.localeCompare(right, 'en'));
  lock.packages = { '': root, ...Object.fromEntries(sorted) };
  writeFileSync(lockPath, `${JSON.stringify(lock, null, 2)}\n`);
}
console.log(checkOnly ? 'The lock file is complete.' : `The lock file is complete; stubs added: ${stubCount}.`);
