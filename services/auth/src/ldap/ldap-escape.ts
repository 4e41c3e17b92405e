/** Fills a filter's placeholders; what is filled in can be nothing but a value there (RFC 4515). */
export function fillFilter(template: string, values: Readonly<Record<string, string>>): string {
  return fill(template, values, (value) => escapeBytes(value, /^[\w@ .-]$/));
}

/** Fills a name's placeholders; what is filled in can be nothing but a value there (RFC 4514). */
export function fillName(template: string, values: Readonly<Record<string, string>>): string {
  return fill(template, values, (value) => escapeBytes(value, /^[\w@.-]$/));
}

function fill(template: string, values: Readonly<Record<string, string>>, escape: (value: string) => string): string {
  // In one pass, so that a value which looks like a placeholder is not filled in turn.
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    return value === undefined ? whole : escape(value);
  });
}

/** All but the plainest characters as bytes in hex, which both standards read alike in any place. */
function escapeBytes(value: string, plain: RegExp): string {
  return [...value].map((letter) => (plain.test(letter) ? letter : hexOf(letter))).join('');
}

function hexOf(letter: string): string {
  return [...Buffer.from(letter, 'utf8')].map((byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('');
}
