/** What may be logged of a Redis error: its command's name but not the arguments, which hold passwords and payloads. */
export function safeError(error: Error): Error {
  const command = 'command' in error ? error.command : undefined;
  const name = typeof command === 'object' && command !== null && 'name' in command ? ` (${String(command.name)})` : '';
  const code = 'code' in error ? `${String(error.code)}: ` : '';
  // An unknown command is answered with the beginning of its arguments.
  const message = error.message.replace(/, with args beginning with:.*/s, '');
  const safe = new Error(`${code}${message}${name}`);
  safe.name = error.name;
  if (error.stack !== undefined) safe.stack = `${safe.name}: ${safe.message}`;
  return safe;
}
