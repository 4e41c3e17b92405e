#!/usr/bin/env node
// The operator's program: `npm run -s sluice -- <command>`, or `sluice <command>` in the image.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { commands } from './commands.ts';

const built = fileURLToPath(new URL('../../dist', import.meta.url));

const exitCodes = `
Exit codes: 0 done, 1 failed, 2 wrong options; a command that has others says so in its own --help.`;

/** Only the command that was asked for is loaded: the drivers of one are no burden to another. */
async function programFor(words: readonly string[]): Promise<Command> {
  const program = new Command('sluice').description('Runs and looks after an installation of Sluice.');
  const asked = words.find((word) => word !== 'help' && !word.startsWith('-'));
  for (const { name, summary, load } of commands) {
    const command = name === asked ? await load() : new Command(name);
    program.addCommand(command.summary(summary));
  }
  return withOwnExits(program.addHelpText('after', exitCodes));
}

/** Commander would end the process with 1 where an option is wrong; 1 is what fails at its work. */
function withOwnExits(command: Command): Command {
  command.exitOverride().showHelpAfterError();
  for (const child of command.commands) withOwnExits(child);
  return command;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Most commands use the libraries that are built, and the first of a fresh checkout finds none. */
function isUnbuilt(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND' && !existsSync(built);
}

// Who reads no further, such as `head`, keeps the command from neither its work nor its exit code.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

const words = process.argv.slice(2);
try {
  const program = await programFor(words);
  await (words.length === 0 ? program.parseAsync(['--help'], { from: 'user' }) : program.parseAsync());
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    console.error(isUnbuilt(error) ? 'Sluice is not built: npm run build.' : messageOf(error));
    process.exitCode = 1;
  }
}
