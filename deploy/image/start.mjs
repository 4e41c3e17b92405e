// What the image runs: the service that its argument names, or `sluice` with a command for operators. There is no shell in
// between, so that a signal reaches the service itself.
const services = ['auth', 'gateway', 'metadata', 'orchestrator', 'results', 'worker'];

const [name] = process.argv.splice(2, 1);
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  // The commands are TypeScript, which an older one reads as an unknown kind of file.
  console.error(`Node.js ${process.versions.node} is too old: 22.18 or later is needed.`);
  // sysexits.h: a fault of the installation, which trying again does not mend.
  process.exitCode = 78;
} else if (services.includes(name)) {
  await import(`../../dist/services/${name}/src/main.js`);
} else if (name === 'sluice') {
  await import('../cli/sluice.ts');
} else {
  console.error(`The argument is ${services.join(', ')}, or sluice with a command.`);
  // sysexits.h: the command was used wrongly.
  process.exitCode = 64;
}
