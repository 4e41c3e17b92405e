interface Column {
  readonly type: string;
  readonly isNullable: boolean;
  readonly hasDefault: boolean;
}

/** What a release finds in the database: columns by `schema.table.column`, and the signatures of functions. */
export interface DatabaseSchema {
  readonly columns: Readonly<Record<string, Column>>;
  readonly functions: readonly string[];
}

/** What a schema has no more, or asks for in addition, that a release written for `before` relies on. */
export function schemaFaults(before: DatabaseSchema, now: DatabaseSchema): string[] {
  const faults: string[] = [];
  for (const [name, column] of Object.entries(before.columns)) {
    const present = now.columns[name];
    if (!present) faults.push(`${name} is gone`);
    else if (present.type !== column.type) faults.push(`${name} was ${column.type} and is ${present.type}`);
    else if (column.isNullable && !present.isNullable) faults.push(`${name} could be null and must not be any more`);
    else if (column.hasDefault && !present.hasDefault) faults.push(`${name} has lost its default`);
  }
  const tables = new Set(Object.keys(before.columns).map(tableOf));
  for (const [name, { isNullable, hasDefault }] of Object.entries(now.columns)) {
    if (before.columns[name] || !tables.has(tableOf(name)) || isNullable || hasDefault) continue;
    faults.push(`${name} is new and must be written`);
  }
  for (const signature of before.functions) {
    if (!now.functions.includes(signature)) faults.push(`${signature} is gone`);
  }
  return faults;
}

function tableOf(column: string): string {
  return column.slice(0, column.lastIndexOf('.'));
}
