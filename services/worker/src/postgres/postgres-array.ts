/** A value of an array, or an array in it; null where the source has NULL. */
export type ArrayItem = string | null | readonly ArrayItem[];

/**
 * PostgreSQL's text of an array, `{1,NULL,"a,\"b"}`, of any depth. Bounds in front of it, `[0:2]=`, are left out.
 * The server wrote it, so it is well formed.
 */
export function parseArrayText(text: string, delimiter = ','): readonly ArrayItem[] {
  let at = text.startsWith('[') ? text.indexOf('=') + 1 : 0;

  const readQuoted = (): string => {
    let value = '';
    let from = ++at;
    for (; text[at] !== '"'; at += 1) {
      if (text[at] !== '\\') continue;
      value += text.slice(from, at);
      at += 1;
      from = at;
    }
    value += text.slice(from, at);
    at += 1;
    return value;
  };

  const readPlain = (): string | null => {
    const from = at;
    while (at < text.length && text[at] !== delimiter && text[at] !== '}') at += 1;
    const value = text.slice(from, at);
    return value === 'NULL' ? null : value;
  };

  const readArray = (): ArrayItem[] => {
    const items: ArrayItem[] = [];
    at += 1;
    while (at < text.length && text[at] !== '}') {
      if (text[at] === '{') items.push(readArray());
      else items.push(text[at] === '"' ? readQuoted() : readPlain());
      if (text[at] === delimiter) at += 1;
    }
    at += 1;
    return items;
  };

  return readArray();
}
