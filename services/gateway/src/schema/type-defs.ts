import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The schema's source: the .graphql files of all features, as one document. */
export function readTypeDefs(root: string = resolve(import.meta.dirname, '..')): string {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.graphql'));
  return files
    .sort()
    .map((name) => readFileSync(join(root, name), 'utf8'))
    .join('\n');
}
