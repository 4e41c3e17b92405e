const lengthMax = 120;
// oxlint-disable-next-line no-control-regex -- control characters are what must not be in a name
const unsafe = /[\u0000-\u001f\u007f/\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069\s]+/g;

/** A name that every file system takes, whatever the title is made of. */
export function fileName(title: string, extension: string): string {
  const safe = title
    .replace(unsafe, ' ')
    .trim()
    .replace(/^[. ]+/, '');
  const name = [...safe].slice(0, lengthMax).join('').toWellFormed().trim();
  return `${name || 'result'}.${extension}`;
}
