const width = 116;

/** The source of a file that exports a list of words, for the tests that hold such a file to what it was made from. */
export function wordListSource(name: string, comment: string, words: readonly string[]): string {
  const lines: string[] = [];
  let line = ' ';
  for (const word of words) {
    if (line.length + 1 + word.length > width) {
      lines.push(line);
      line = ' ';
    }
    line += ` ${word}`;
  }
  lines.push(line);
  return [
    `import { wordSet } from '../word-list.js';`,
    '',
    `/** ${comment} */`,
    `export const ${name}: ReadonlySet<string> = wordSet(\``,
    ...lines,
    '`);',
    '',
  ].join('\n');
}
