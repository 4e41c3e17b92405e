import type { ColumnMask, metadataRequests, RequestOf, TableName } from '#libs/contracts';
import { isId } from '#libs/kernel';
import { Issues } from '../input/issues.js';
import { checkCleared, checkName } from '../input/text.js';

const predicateBytesMax = 10 * 1_024;
const namesMax = 50;
/** As auth takes them. */
const groupNameMax = 64;
const keyMax = 200;
const masksMax = 100;
const maskValueMax = 1_000;
/** No source has longer names. */
const identifierMax = 255;

export interface NewRowPolicy {
  readonly name: string;
  readonly dataSourceId: string;
  readonly table: TableName | null;
  readonly groupNames: string[];
  readonly exemptGroupNames: string[];
  readonly key: string | null;
  readonly predicate: string;
  readonly masks: ColumnMask[];
  readonly enabled: boolean;
}

/** What an update changes; what is undefined stays. */
export type RowPolicyChange = {
  readonly [Field in keyof Omit<NewRowPolicy, 'dataSourceId' | 'table'>]: NewRowPolicy[Field] | undefined;
};

/** @throws AppError with every fault of the input */
export function parseNewRowPolicy(input: RequestOf<typeof metadataRequests.createRowPolicy>): NewRowPolicy {
  const issues = new Issues();
  const policy = {
    name: checkName(input.name, issues),
    dataSourceId: input.dataSourceId,
    table: input.table === undefined ? null : checkTable(input.table, issues),
    groupNames: checkGroups(input.groupNames, 'groupNames', issues),
    exemptGroupNames: checkGroups(input.exemptGroupNames, 'exemptGroupNames', issues),
    key: input.key === undefined ? null : checkText(input.key, ['key'], keyMax, issues),
    predicate: checkPredicate(input.predicate, issues),
    masks: checkMasks(input.masks, issues),
    enabled: input.enabled,
  };
  if (!isId('dataSource', input.dataSourceId)) {
    issues.add(['dataSourceId'], 'There is no such data source.', 'source.not_found');
  }
  issues.throwIfAny();
  return policy;
}

/** @throws AppError with every fault of the input */
export function parseRowPolicyChange(input: RequestOf<typeof metadataRequests.updateRowPolicy>): RowPolicyChange {
  const issues = new Issues();
  const { name, groupNames, exemptGroupNames, key, predicate, masks, enabled, cleared } = input;
  checkCleared(cleared, ['groupNames', 'exemptGroupNames', 'key', 'masks'], issues);
  const changed = <Value, Checked>(
    field: string,
    value: Value | undefined,
    whenCleared: Checked,
    check: (value: Value) => Checked,
  ): Checked | undefined => (value === undefined ? (cleared.includes(field) ? whenCleared : undefined) : check(value));
  const change = {
    name: name === undefined ? undefined : checkName(name, issues),
    groupNames: changed('groupNames', groupNames, [], ({ values }) => checkGroups(values, 'groupNames', issues)),
    exemptGroupNames: changed('exemptGroupNames', exemptGroupNames, [], ({ values }) =>
      checkGroups(values, 'exemptGroupNames', issues),
    ),
    key: changed<string, string | null>('key', key, null, (text) => checkText(text, ['key'], keyMax, issues)),
    predicate: predicate === undefined ? undefined : checkPredicate(predicate, issues),
    masks: changed('masks', masks, [], ({ values }) => checkMasks(values, issues)),
    enabled,
  };
  issues.throwIfAny();
  return change;
}

/** If it reads as SQL is asked of the policy as a whole, against the tables of its source. */
function checkPredicate(predicate: string, issues: Issues): string {
  if (Buffer.byteLength(predicate) > predicateBytesMax) {
    issues.add(['predicate'], `predicate must be at most ${predicateBytesMax} bytes.`, 'input.too_large');
  } else if (predicate.trim() === '') issues.add(['predicate'], 'predicate must not be empty.');
  else if (predicate.includes('\0')) issues.add(['predicate'], 'predicate must not have a zero byte.');
  return predicate;
}

function checkTable({ catalog, schema, name }: TableName, issues: Issues): TableName {
  for (const [part, text] of Object.entries({ catalog, schema, name })) {
    if (text !== undefined) checkText(text, ['table', part], identifierMax, issues);
  }
  return { name, ...(schema === undefined ? {} : { schema }), ...(catalog === undefined ? {} : { catalog }) };
}

function checkGroups(names: readonly string[], field: string, issues: Issues): string[] {
  if (names.length > namesMax) {
    issues.add([field], `${field} must be at most ${namesMax}.`);
    return [];
  }
  const checked = names.map((text, index) =>
    checkText(text.trim().normalize('NFC'), [field, String(index)], groupNameMax, issues),
  );
  return [...new Set(checked)];
}

function checkMasks(masks: readonly ColumnMask[], issues: Issues): ColumnMask[] {
  if (masks.length > masksMax) {
    issues.add(['masks'], `masks must be at most ${masksMax}.`);
    return [];
  }
  const columns = new Set<string>();
  return masks.map(({ column, kind, value }, index) => {
    const path = (field: string): string[] => ['masks', String(index), field];
    checkText(column, path('column'), identifierMax, issues);
    if (columns.has(column)) issues.add(path('column'), 'A column has one mask.');
    columns.add(column);
    if (kind === 'FIXED' && value === undefined) issues.add(path('value'), 'A FIXED mask has a value.');
    if (kind !== 'FIXED' && value !== undefined) issues.add(path('value'), `A ${kind} mask has no value.`);
    if (value !== undefined && (value.length > maskValueMax || value.includes('\0'))) {
      issues.add(path('value'), `value must be text of at most ${maskValueMax} characters.`);
    }
    return { column, kind, ...(value === undefined ? {} : { value }) };
  });
}

const controls = /[\p{Cc}\p{Zl}\p{Zp}]/u;

function checkText(text: string, path: readonly string[], max: number, issues: Issues): string {
  if (text === '') issues.add(path, 'This must not be empty.');
  else if (text.length > max) issues.add(path, `This must have at most ${max} characters.`);
  else if (controls.test(text)) issues.add(path, 'This must be one line of plain text.');
  return text;
}
