import type { Issues } from './issues.js';

const tagsMax = 20;
const tagMax = 50;
const controls = /\p{Cc}/u;

/** Tags as they are kept and compared: lower case, single spaces, each once, in the order given. */
export function checkTags(tags: readonly string[], issues: Issues): string[] {
  if (tags.length > tagsMax) issues.add(['tags'], `tags must be at most ${tagsMax}.`);
  const normal = tags.slice(0, tagsMax).map((text, index) => {
    const tag = text.normalize('NFC').trim().replaceAll(/\s+/g, ' ').toLowerCase();
    const path = ['tags', String(index)];
    if (tag === '') issues.add(path, 'A tag must not be empty.');
    else if (tag.length > tagMax) issues.add(path, `A tag must have at most ${tagMax} characters.`);
    else if (controls.test(tag)) issues.add(path, 'A tag must be plain text.');
    return tag;
  });
  return [...new Set(normal)];
}
