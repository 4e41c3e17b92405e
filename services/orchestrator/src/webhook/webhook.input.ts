import type { RequestOf, webhookRequests, WebhookFilter } from '#libs/contracts';
import { AppError, isId, type Issue } from '#libs/kernel';
import { isFinal, type FinalState } from '../run/transitions.js';

const nameMax = 200;
const urlMax = 2_000;
const searchMax = 200;
const idsMax = 100;
const names: Record<'savedQuery' | 'dataSource', string> = { savedQuery: 'saved query', dataSource: 'data source' };
const controls = /[\p{Cc}\p{Zl}\p{Zp}]/u;

export interface NewWebhook {
  readonly name: string;
  readonly url: string;
  readonly states: FinalState[];
  readonly savedQueryIds: string[];
  readonly dataSourceIds: string[];
  readonly enabled: boolean;
}

/** What an update changes; what is undefined stays. */
export type WebhookChange = { readonly [Field in keyof NewWebhook]: NewWebhook[Field] | undefined };

/** @throws AppError with every fault of the input */
export function parseNewWebhook(input: RequestOf<typeof webhookRequests.createWebhook>): NewWebhook {
  const issues: Issue[] = [];
  const { states, savedQueryIds, dataSourceIds }: WebhookFilter = input.filter ?? noFilter;
  const webhook = {
    name: checkName(input.name, issues),
    url: checkUrl(input.url, issues),
    states: checkStates(states, issues),
    savedQueryIds: checkIds('savedQuery', savedQueryIds, 'savedQueryIds', issues),
    dataSourceIds: checkIds('dataSource', dataSourceIds, 'dataSourceIds', issues),
    enabled: input.enabled,
  };
  throwIfAny(issues);
  return webhook;
}

/** @throws AppError with every fault of the input */
export function parseWebhookChange(input: RequestOf<typeof webhookRequests.updateWebhook>): WebhookChange {
  const issues: Issue[] = [];
  const { name, url, enabled, cleared } = input;
  const listed = <Item>(field: string, list: { values: Item[] } | undefined): Item[] | undefined =>
    list?.values ?? (cleared.includes(field) ? [] : undefined);
  for (const field of cleared) {
    if (!clearable.includes(field)) issues.push(issue([field], `${field} cannot be null.`));
  }
  const states = listed('states', input.states);
  const savedQueryIds = listed('savedQueryIds', input.savedQueryIds);
  const dataSourceIds = listed('dataSourceIds', input.dataSourceIds);
  const change = {
    name: name === undefined ? undefined : checkName(name, issues),
    url: url === undefined ? undefined : checkUrl(url, issues),
    states: states && checkStates(states, issues),
    savedQueryIds: savedQueryIds && checkIds('savedQuery', savedQueryIds, 'savedQueryIds', issues),
    dataSourceIds: dataSourceIds && checkIds('dataSource', dataSourceIds, 'dataSourceIds', issues),
    enabled,
  };
  throwIfAny(issues);
  return change;
}

/** What a list is searched for; undefined: for nothing. */
export function checkSearch(text: string | undefined): string | undefined {
  const search = text?.trim().normalize('NFC') ?? '';
  if (search.length > searchMax || controls.test(search)) {
    const message = `search must be one line of plain text of at most ${searchMax} characters.`;
    throw new AppError('input.invalid', message, { path: ['search'] });
  }
  return search === '' ? undefined : search;
}

const noFilter: WebhookFilter = { states: [], savedQueryIds: [], dataSourceIds: [] };
const clearable = ['states', 'savedQueryIds', 'dataSourceIds'];

export function refusedUrl(message: string): AppError {
  return new AppError('input.invalid', message, { path: ['url'] });
}

function checkName(text: string, issues: Issue[]): string {
  const name = text.trim().normalize('NFC');
  if (name === '' || name.length > nameMax || controls.test(name)) {
    issues.push(issue(['name'], `name must be one line of plain text of at most ${nameMax} characters.`));
  }
  return name;
}

/** As it is sent to: in the one form that every reader of URLs agrees on. */
function checkUrl(text: string, issues: Issue[]): string {
  const url = text.length <= urlMax && URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['https:', 'http:'].includes(url.protocol)) {
    issues.push(issue(['url'], `url must begin with https:// and have at most ${urlMax} characters.`));
  } else if (url.username !== '' || url.password !== '') {
    issues.push(issue(['url'], 'url must hold no user and no password; the signature proves who sends.'));
  } else if (url.hash !== '') issues.push(issue(['url'], 'url must have no fragment.'));
  return url?.href ?? text;
}

function checkStates(states: readonly WebhookFilter['states'][number][], issues: Issue[]): FinalState[] {
  const final = states.filter(isFinal);
  if (final.length < states.length) issues.push(issue(['states'], 'Webhooks tell final states only.'));
  return [...new Set(final)];
}

/** Whether there is such a thing is not asked: one that is deleted later would be in the list all the same. */
function checkIds(kind: keyof typeof names, ids: readonly string[], field: string, issues: Issue[]): string[] {
  if (ids.length > idsMax) issues.push(issue([field], `${field} must be at most ${idsMax}.`));
  for (const [index, id] of ids.entries()) {
    if (!isId(kind, id)) issues.push(issue([field, String(index)], `There is no such ${names[kind]}.`));
  }
  return [...new Set(ids)];
}

function issue(path: string[], message: string): Issue {
  return { code: 'input.invalid', message, path };
}

function throwIfAny([first, ...others]: readonly Issue[]): void {
  if (first) throw AppError.ofIssues([first, ...others]);
}
