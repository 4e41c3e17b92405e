import type { Permission } from '#libs/identity';
import type { IdKind } from '#libs/kernel';

/** Gives an id of a kind: of something that is there, or that is not. */
export type IdOf = (kind: IdKind) => string;

/** Who may use a root field of the served schema. */
export interface RootRule {
  /** Any one of these permissions; or everyone who is signed in; or a service account with guest.mint; or everyone. */
  readonly needs: readonly [Permission, ...Permission[]] | 'signed in' | 'a service account' | 'nothing';
  /** Arguments that ask for what `idOf` names, and change nothing where that is not there. */
  readonly args?: (idOf: IdOf) => Record<string, unknown>;
  /** It tells of what it was asked for by a number that is 0. */
  readonly countsAs?: string;
}

const page = { first: 1 };
const managers = ['data_source.manage', 'saved_query.manage', 'grant.manage'] as const;
const runners = ['query.run', 'saved_query.run'] as const;
const id = (kind: IdKind) => (idOf: IdOf) => ({ id: idOf(kind) });
const change = (kind: IdKind) => (idOf: IdOf) => ({ input: { id: idOf(kind), version: 1 } });
const savedQueryOf = (idOf: IdOf) => ({ query: { savedQuery: { id: idOf('savedQuery') } } });

const members = (idOf: IdOf) => ({ input: { id: idOf('group'), userIds: [idOf('user')] } });
const user = (idOf: IdOf) => ({ userId: idOf('user') });
const nobody = { email: '', password: 'none' };
const noPassword = { token: 'none', password: '' };

/**
 * The one table of who may use which root field: queries, mutations and subscriptions, none forgotten. What a field answers
 * where it may be used is decided by what the caller reaches; see docs/access.md.
 */
export const rootRules: Readonly<Record<string, RootRule>> = {
  'Query.apiKeys': { needs: ['api_key.manage'], args: () => page },
  'Query.auditEntries': { needs: ['audit.read'], args: (idOf) => ({ ...page, filter: { targetId: idOf('user') } }) },
  'Query.auditForwarders': { needs: ['audit.manage'], args: () => page },
  'Query.auditVerification': { needs: ['audit.read'] },
  'Query.dataSourceTypes': { needs: 'signed in' },
  'Query.dataSources': { needs: ['data_source.read'], args: () => page },
  'Query.estimateQuery': { needs: runners, args: savedQueryOf },
  'Query.execution': { needs: 'signed in', args: id('execution') },
  'Query.executions': {
    needs: 'signed in',
    args: (idOf) => ({ ...page, savedQueryId: idOf('savedQuery'), submittedById: idOf('user') }),
  },
  'Query.grants': { needs: managers, args: (idOf) => ({ ...page, assetId: idOf('savedQuery') }) },
  'Query.groups': { needs: ['user.read'], args: () => page },
  'Query.identityProviders': { needs: ['identity_provider.manage'], args: () => page },
  'Query.node': { needs: 'signed in', args: id('savedQuery') },
  'Query.operations': { needs: ['operations.read', 'operations.manage'] },
  'Query.parameterOptions': {
    needs: runners,
    args: (idOf) => ({ ...page, savedQueryId: idOf('savedQuery'), parameter: 'p' }),
  },
  'Query.roles': { needs: ['role.manage', 'user.read'], args: () => page },
  'Query.rowPolicies': { needs: ['row_policy.read'], args: (idOf) => ({ ...page, dataSourceId: idOf('dataSource') }) },
  'Query.savedQueries': { needs: ['saved_query.read'], args: () => page },
  'Query.serviceAccounts': { needs: ['service_account.manage'], args: () => page },
  'Query.sessions': { needs: 'signed in', args: () => page },
  'Query.users': { needs: ['user.read'], args: () => page },
  'Query.viewer': { needs: 'nothing' },
  'Query.webhookDeliveries': { needs: ['webhook.manage'], args: (idOf) => ({ ...page, webhookId: idOf('webhook') }) },
  'Query.webhooks': { needs: ['webhook.manage'], args: () => page },

  'Mutation.acceptInvitation': { needs: 'nothing', args: () => ({ input: noPassword }) },
  'Mutation.addGroupMembers': { needs: ['user.manage'], args: members },
  'Mutation.beginSecondFactor': { needs: 'nothing', args: () => ({ input: nobody }) },
  'Mutation.cancelExecution': { needs: 'signed in', args: id('execution') },
  'Mutation.changePassword': {
    needs: 'signed in',
    args: () => ({ input: { currentPassword: 'none', newPassword: '' } }),
  },
  'Mutation.confirmSecondFactor': { needs: 'nothing', args: () => ({ input: { ...nobody, secondFactor: '' } }) },
  'Mutation.createApiKey': { needs: ['api_key.manage'], args: () => ({ input: { name: '' } }) },
  'Mutation.createAuditForwarder': {
    needs: ['audit.manage'],
    args: () => ({ input: { name: '', url: 'none' } }),
  },
  'Mutation.createDataSource': {
    needs: ['data_source.manage'],
    args: () => ({ input: { name: '', type: 'none', options: {} } }),
  },
  'Mutation.createGrant': {
    needs: managers,
    args: (idOf) => ({ input: { assetId: idOf('savedQuery'), groupName: 'west', level: 'RUN' } }),
  },
  'Mutation.createGroup': { needs: ['user.manage'], args: () => ({ input: { name: '' } }) },
  'Mutation.createIdentityProvider': {
    needs: ['identity_provider.manage'],
    args: () => ({ input: { name: '', kind: 'OIDC', options: {} } }),
  },
  'Mutation.createRole': { needs: ['role.manage'], args: () => ({ input: { name: '', permissions: [] } }) },
  'Mutation.createRowPolicy': {
    needs: ['row_policy.manage'],
    args: (idOf) => ({ input: { name: 'x', dataSourceId: idOf('dataSource'), predicate: 'true' } }),
  },
  'Mutation.createSavedQuery': {
    needs: ['saved_query.manage'],
    args: (idOf) => ({ input: { name: 'x', dataSourceId: idOf('dataSource'), sql: 'select 1' } }),
  },
  'Mutation.createServiceAccount': {
    needs: ['service_account.manage'],
    args: () => ({ input: { name: '', roleNames: [] } }),
  },
  'Mutation.createUser': {
    needs: ['user.manage'],
    args: () => ({ input: { email: '', name: '', roleNames: [] } }),
  },
  'Mutation.createWebhook': { needs: ['webhook.manage'], args: () => ({ input: { name: '', url: 'none' } }) },
  'Mutation.deleteAuditForwarder': { needs: ['audit.manage'], args: id('auditForwarder') },
  'Mutation.deleteDataSource': { needs: ['data_source.manage'], args: id('dataSource') },
  'Mutation.deleteGrant': { needs: managers, args: id('grant') },
  'Mutation.deleteGroup': { needs: ['user.manage'], args: id('group') },
  'Mutation.deleteIdentityProvider': { needs: ['identity_provider.manage'], args: id('identityProvider') },
  'Mutation.deleteRole': { needs: ['role.manage'], args: id('role') },
  'Mutation.deleteRowPolicy': { needs: ['row_policy.manage'], args: id('rowPolicy') },
  'Mutation.deleteSavedQuery': { needs: ['saved_query.manage'], args: id('savedQuery') },
  'Mutation.deleteWebhook': { needs: ['webhook.manage'], args: id('webhook') },
  'Mutation.invalidateCache': {
    needs: ['cache.invalidate'],
    args: (idOf) => ({ input: { savedQueryIds: [idOf('savedQuery')], dataSourceIds: [idOf('dataSource')] } }),
    countsAs: 'invalidatedCount',
  },
  'Mutation.drainWorker': { needs: ['operations.manage'], args: () => ({ id: 'none' }) },
  'Mutation.inviteUser': { needs: ['user.manage'], args: user },
  'Mutation.killExecution': { needs: ['operations.manage'], args: id('execution') },
  // Nobody but a service account lets guests in, whatever its permissions.
  'Mutation.mintGuest': {
    needs: 'a service account',
    args: (idOf) => ({ input: { savedQueryIds: [idOf('savedQuery')] } }),
  },
  'Mutation.redeliverWebhook': {
    needs: ['webhook.manage'],
    args: (idOf) => ({ deliveryId: idOf('webhookDelivery') }),
  },
  'Mutation.refreshDataSourceSchema': { needs: ['data_source.manage'], args: id('dataSource') },
  'Mutation.refreshSession': { needs: 'nothing', args: () => ({ refreshToken: 'none' }) },
  'Mutation.removeGroupMembers': { needs: ['user.manage'], args: members },
  'Mutation.removeSecondFactor': { needs: 'nothing', args: () => ({ input: { ...nobody, secondFactor: '' } }) },
  'Mutation.requestPasswordReset': { needs: 'nothing', args: () => ({ input: { email: '' } }) },
  'Mutation.resetPassword': { needs: 'nothing', args: () => ({ input: noPassword }) },
  'Mutation.resetUserPassword': { needs: ['user.manage'], args: user },
  'Mutation.resetUserSecondFactor': { needs: ['user.manage'], args: user },
  'Mutation.restrictAsset': { needs: managers, args: id('savedQuery') },
  'Mutation.revokeApiKey': { needs: ['api_key.manage'], args: id('apiKey') },
  'Mutation.revokeGuests': {
    needs: ['guest.mint', 'service_account.manage'],
    args: (idOf) => ({ serviceAccountId: idOf('serviceAccount') }),
  },
  'Mutation.revokeOtherSessions': { needs: 'signed in' },
  'Mutation.revokeSession': { needs: 'signed in', args: id('session') },
  'Mutation.revokeUserSessions': { needs: ['user.manage'], args: user },
  'Mutation.rotateApiKey': {
    needs: ['api_key.manage'],
    args: (idOf) => ({ input: { id: idOf('apiKey'), overlapSeconds: 0 } }),
  },
  'Mutation.rotateWebhookSecret': { needs: ['webhook.manage'], args: id('webhook') },
  'Mutation.runQueries': { needs: 'signed in', args: (idOf) => ({ inputs: [savedQueryOf(idOf)] }) },
  'Mutation.runQuery': { needs: runners, args: (idOf) => ({ input: savedQueryOf(idOf) }) },
  'Mutation.signIn': { needs: 'nothing', args: () => ({ input: { email: '', password: 'none' } }) },
  'Mutation.signOut': { needs: 'signed in' },
  'Mutation.testDataSource': { needs: ['data_source.manage'], args: id('dataSource') },
  'Mutation.undrainWorker': { needs: ['operations.manage'], args: () => ({ id: 'none' }) },
  'Mutation.unrestrictAsset': { needs: managers, args: id('savedQuery') },
  'Mutation.updateAuditForwarder': { needs: ['audit.manage'], args: change('auditForwarder') },
  'Mutation.updateAuditSettings': { needs: ['audit.manage'], args: () => ({ input: { retentionDays: -1 } }) },
  'Mutation.updateDataSource': { needs: ['data_source.manage'], args: change('dataSource') },
  'Mutation.updateIdentityProvider': { needs: ['identity_provider.manage'], args: change('identityProvider') },
  'Mutation.updatePreferences': { needs: 'signed in', args: () => ({ input: { timeZone: 'Nowhere' } }) },
  'Mutation.updateRole': {
    needs: ['role.manage'],
    args: (idOf) => ({ input: { id: idOf('role'), version: 1, permissions: [] } }),
  },
  'Mutation.updateRowPolicy': { needs: ['row_policy.manage'], args: change('rowPolicy') },
  'Mutation.updateSavedQuery': { needs: ['saved_query.manage'], args: change('savedQuery') },
  'Mutation.updateServiceAccount': { needs: ['service_account.manage'], args: change('serviceAccount') },
  'Mutation.updateSignInRules': {
    needs: ['workspace.manage'],
    args: () => ({ input: { secondFactorRequired: false } }),
  },
  'Mutation.updateUser': { needs: ['user.manage'], args: change('user') },
  'Mutation.updateWebhook': { needs: ['webhook.manage'], args: change('webhook') },
  'Mutation.updateWorkspace': {
    needs: ['workspace.manage'],
    args: () => ({ input: { version: 0, timeZone: 'Nowhere' } }),
  },

  'Subscription.executionEvents': { needs: 'signed in', args: id('execution') },
  'Query.executionsFinishedCursor': { needs: 'signed in' },
  'Subscription.executionsFinished': { needs: 'signed in' },
};
