const identifier = /(?:[uU]&)?"(?:[^"]|"")*"|[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y;
const escapeClause = /uescape(?=[\s/'-])/iy;
const escapeCharacter = /'[^']'/y;
const white = /\s+|--[^\n\r]*/y;

/**
 * Where a name of so many parts ends that begins here, or undefined. What it answers is never trusted: the text that
 * is made with it is parsed again and compared.
 */
export function endOfName(sql: string, start: number, parts: number): number | undefined {
  let end = endOfIdentifier(sql, start);
  for (let part = 1; part < parts && end !== undefined; part += 1) {
    const dot = endOfGap(sql, end);
    end = sql[dot] === '.' ? endOfIdentifier(sql, endOfGap(sql, dot + 1)) : undefined;
  }
  return end;
}

/** Past white space and comments, which nest. */
export function endOfGap(sql: string, start: number): number {
  let at = start;
  for (;;) {
    const next = matchEnd(white, sql, at) ?? endOfComment(sql, at);
    if (next === at) return at;
    at = next;
  }
}

function endOfComment(sql: string, start: number): number {
  if (!sql.startsWith('/*', start)) return start;
  let depth = 1;
  let at = start + 2;
  while (depth > 0 && at < sql.length) {
    if (sql.startsWith('/*', at)) depth += 1;
    else if (sql.startsWith('*/', at)) depth -= 1;
    else {
      at += 1;
      continue;
    }
    at += 2;
  }
  return at;
}

function endOfIdentifier(sql: string, start: number): number | undefined {
  const end = matchEnd(identifier, sql, start);
  if (end === undefined || !/^u&"/i.test(sql.slice(start, start + 3))) return end;
  const clause = matchEnd(escapeClause, sql, endOfGap(sql, end));
  return clause === undefined ? end : matchEnd(escapeCharacter, sql, endOfGap(sql, clause));
}

function matchEnd(pattern: RegExp, sql: string, start: number): number | undefined {
  pattern.lastIndex = start;
  return pattern.test(sql) ? pattern.lastIndex : undefined;
}
