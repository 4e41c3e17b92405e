import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';

const known = new Set(Redis.prototype.getBuiltinCommands());
/** Of these the word behind them says what they do, and an ACL names it. */
const containers = new Set(['client', 'cluster', 'memory', 'script', 'xgroup', 'xinfo']);

/**
 * The commands that source files send to Redis, as an ACL names them (`xadd`, `xgroup|create`): in TypeScript by `call('XADD', …)`,
 * by a method of a client or of its transaction, and by the Lua scripts that it runs; in BullMQ's Lua by `rcall("ZADD", …)`.
 */
export function commandsIn(files: readonly string[]): string[] {
  return [...new Set(files.flatMap((file) => commandsInText(file, readFileSync(file, 'utf8'))))].toSorted();
}

function commandsInText(file: string, text: string): string[] {
  const calls = [
    ...text.matchAll(/\b(?:callBuffer|call|redis\.call|rcall)\(\s*['"](\w+)['"](?:,\s*(?:\.\.\.\[)?['"](\w+)['"])?/g),
    ...text.matchAll(/\bclient(?:\('broker'\))?\s*\??\.([a-z]+)(?:Buffer)?\((?:'(\w+)')?/g),
    ...text.matchAll(/\btransaction\.([a-z]+)\(/g),
    // BullMQ's scripts choose some commands by a variable, so every word in capitals that is one counts.
    ...(file.includes('bullmq') ? text.matchAll(/['"]([A-Z]{3,})['"]/g) : []),
    // The members of a transaction that is written in one.
    ...[...text.matchAll(/\.multi\(\)((?:\s*\.[a-z]+\([^()]*\))+)/g)].flatMap(([, chain = '']) => [
      ...chain.matchAll(/\.([a-z]+)\(/g),
    ]),
  ];
  const direct = calls
    .map(([, name = '', word = '']) => [name.toLowerCase(), word.toLowerCase()] as const)
    .filter(([name]) => known.has(name))
    .map(([name, word]) => (containers.has(name) && word !== '' ? `${name}|${word}` : name));
  return [...direct, ...scriptsRunIn(file, text).flatMap((script) => commandsIn([script]))];
}

/** The Lua files behind `script.run(…)`, by the names that scripts.ts beside it, or the file itself, gives them. */
function scriptsRunIn(file: string, text: string): string[] {
  const run = [...text.matchAll(/\b(\w+)\s*\.run\(/g)].map(([, name]) => name);
  const beside = text.includes("'./scripts.js'") ? readFileSync(join(dirname(file), 'scripts.ts'), 'utf8') : '';
  const loaded = `${text}\n${beside}`.matchAll(
    /const (\w+) = RedisScript\.load\((?:new URL\('\.\/lua\/|at\(')([\w-]+)(?:\.lua)?'/g,
  );
  return [...loaded]
    .filter(([, name]) => run.includes(name))
    .map(([, , script]) => join(dirname(file), 'lua', `${script}.lua`));
}
