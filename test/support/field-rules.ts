import type { Permission } from '#libs/identity';
import type { IdKind } from '#libs/kernel';

/** Any one of these permissions; or everyone who is signed in. */
type Needs = readonly [Permission, ...Permission[]] | 'signed in';

/** Who may read a field that takes more than the right to read its object. */
export interface FieldRule {
  readonly needs: Needs;
  /** Not told to those who were only let into the saved query to run it, and do not see its source. */
  readonly hiddenFromRunners?: true;
  /** Asks for it, as `it`, by ids of things that are there: of `node` or of another query. */
  readonly ask: (idOf: (thing: Thing) => string) => string;
  /** Where others are not told null but something that says nothing: whether this is the thing itself. */
  readonly isTold?: (value: unknown) => boolean;
}

/** `failed` and `ran` are executions of the caller's own, of saved queries; the caller reaches `query`. */
export type Thing = IdKind | 'query' | 'ran' | 'failed' | 'withOptions';

/** A word of the statement that `failed` ran. */
export const wordOfStatement = 'column_of_no_table';

const seesSources = ['data_source.read'] as const;
const operates = ['operations.read'] as const;

const ofNode =
  (type: string, thing: Thing, field: string): FieldRule['ask'] =>
  (idOf) =>
    `node(id: "${idOf(thing)}") { ... on ${type} { it: ${field} } }`;
const ofOperations =
  (field: string): FieldRule['ask'] =>
  () =>
    `operations { ${field} }`;
const ofUser = (field: string): FieldRule => ({ needs: ['user.read'], ask: ofNode('User', 'user', field) });
const ofAccount = (field: string): FieldRule => ({
  needs: ['service_account.manage'],
  ask: ofNode('ServiceAccount', 'serviceAccount', field),
});
/** A statement, or what tells of it. */
const ofText = (ask: FieldRule['ask'], needs: Needs = ['query.run', 'data_source.read']) => ({
  needs,
  hiddenFromRunners: true as const,
  ask,
});

/**
 * The fields that have a right of their own, beside that of their object: all others are in open-fields.ts. A field that leads
 * to another thing is here where that thing is not for everyone who reads the object.
 */
export const fieldRules: Readonly<Record<string, FieldRule>> = {
  // Of others; one's own are one's own.
  'User.attributes': ofUser('attributes'),
  'User.email': ofUser('email'),
  'User.groupNames': ofUser('groupNames'),
  'User.roleNames': ofUser('roleNames'),
  'ServiceAccount.apiKeys': ofAccount('apiKeys(first: 1) { totalCount }'),
  'ServiceAccount.attributes': ofAccount('attributes'),
  'ServiceAccount.groupNames': ofAccount('groupNames'),
  'ServiceAccount.roleNames': ofAccount('roleNames'),
  'Group.members': { needs: ['user.read'], ask: ofNode('Group', 'group', 'members(first: 1) { totalCount }') },

  'DataSource.options': { needs: ['data_source.manage'], ask: ofNode('DataSource', 'dataSource', 'options') },
  'SavedQuery.dataSource': ofText(ofNode('SavedQuery', 'query', 'dataSource { id }'), seesSources),
  'SavedQuery.sql': ofText(ofNode('SavedQuery', 'query', 'sql'), seesSources),
  'ParameterDefinition.optionsQuery': {
    needs: ['saved_query.read', 'saved_query.run'],
    ask: (idOf) =>
      `node(id: "${idOf('withOptions')}") { ... on SavedQuery { parameters { it: optionsQuery { id } } } }`,
  },
  'AssetAccess.grants': {
    needs: ['saved_query.manage', 'grant.manage'],
    hiddenFromRunners: true,
    ask: (idOf) =>
      `node(id: "${idOf('query')}") { ... on SavedQuery { access { it: grants(first: 1) { totalCount } } } }`,
  },
  'Grant.asset': { needs: ['saved_query.manage', 'grant.manage'], ask: ofNode('Grant', 'grant', 'asset { id }') },
  'RowPolicy.dataSource': { needs: ['row_policy.read'], ask: ofNode('RowPolicy', 'rowPolicy', 'dataSource { id }') },
  'Preferences.defaultDataSource': {
    needs: seesSources,
    ask: () => 'viewer { preferences { it: defaultDataSource { id } } }',
  },

  'Execution.dataSource': ofText(ofNode('Execution', 'ran', 'dataSource { id }'), seesSources),
  'Execution.savedQuery': {
    needs: ['saved_query.read', 'saved_query.run'],
    ask: ofNode('Execution', 'ran', 'savedQuery { id }'),
  },
  'Execution.sql': ofText(ofNode('Execution', 'ran', 'sql')),
  'ExecutionError.message': {
    ...ofText((idOf) => `node(id: "${idOf('failed')}") { ... on Execution { error { it: message } } }`),
    isTold: (value) => String(value).includes(wordOfStatement),
  },
  'ExecutionError.sourceCode': ofText(
    (idOf) => `node(id: "${idOf('failed')}") { ... on Execution { error { it: sourceCode } } }`,
  ),
  'EstimateQueryPayload.plan': ofText(
    (idOf) => `estimateQuery(query: { savedQuery: { id: "${idOf('query')}" } }) { it: plan }`,
  ),
  'WebhookDelivery.execution': {
    needs: ['webhook.manage'],
    ask: ofNode('WebhookDelivery', 'webhookDelivery', 'execution { id }'),
  },

  // In the first workspace, whose administrators operate the installation.
  'Operations.health': { needs: operates, ask: ofOperations('it: health { healthy }') },
  'Operations.queues': { needs: operates, ask: ofOperations('it: queues { depth }') },
  'Operations.running': { needs: operates, ask: ofOperations('it: running { rows }') },
  'Operations.slow': { needs: operates, ask: ofOperations('it: slow { rows }') },
  'Operations.topDataSources': { needs: operates, ask: ofOperations('it: topDataSources { runs }') },
  'Operations.topUsers': { needs: operates, ask: ofOperations('it: topUsers { runs }') },
  'Operations.workers': { needs: operates, ask: ofOperations('it: workers { id }') },
  'OperationsQueue.dataSource': { needs: operates, ask: ofOperations('queues { it: dataSource { id } }') },
  'OperationsRun.dataSource': { needs: operates, ask: ofOperations('running { it: dataSource { id } }') },
  'OperationsRun.execution': { needs: operates, ask: ofOperations('running { it: execution { id } }') },
  'DataSourceUsage.dataSource': { needs: operates, ask: ofOperations('topDataSources { it: dataSource { id } }') },
};

/** Who reads what another has made, by `node`: every type that has an id. */
export const nodeRules: Readonly<Record<string, { readonly kind: IdKind; readonly needs: Needs | 'nobody' }>> = {
  ApiKey: { kind: 'apiKey', needs: ['user.manage'] },
  DataSource: { kind: 'dataSource', needs: seesSources },
  Execution: { kind: 'execution', needs: ['execution.read'] },
  Grant: { kind: 'grant', needs: ['saved_query.manage', 'grant.manage'] },
  Group: { kind: 'group', needs: ['user.read', 'user.manage'] },
  Guest: { kind: 'guest', needs: 'nobody' },
  IdentityProvider: { kind: 'identityProvider', needs: ['identity_provider.manage'] },
  Result: { kind: 'result', needs: ['execution.read'] },
  Role: { kind: 'role', needs: ['role.manage', 'user.read'] },
  RowPolicy: { kind: 'rowPolicy', needs: ['row_policy.read'] },
  SavedQuery: { kind: 'savedQuery', needs: ['saved_query.read', 'saved_query.run'] },
  ServiceAccount: { kind: 'serviceAccount', needs: 'signed in' },
  User: { kind: 'user', needs: 'signed in' },
  Webhook: { kind: 'webhook', needs: ['webhook.manage'] },
  WebhookDelivery: { kind: 'webhookDelivery', needs: ['webhook.manage'] },
  Workspace: { kind: 'workspace', needs: 'signed in' },
};
