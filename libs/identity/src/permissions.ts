/**
 * Every permission, `<area>.<verb>`, with what it allows. The names are public: tokens, API keys and the API carry them, so
 * a name is never changed or used for something else. docs/permissions.md is checked against this file.
 */
export const permissions = {
  'saved_query.read': 'See saved queries.',
  'saved_query.run': 'Run saved queries, also those whose data source one may not see.',
  'api_key.manage': "Make, list and revoke one's own API keys.",
  'data_source.read': 'See data sources and their schema, and the text of saved queries.',
  'query.run': "Run one's own SQL on every data source.",
  'expensive_query.run': 'Run what is estimated above the ceiling of its data source.',
  'saved_query.manage': 'Make, change and delete saved queries.',
  'execution.read': "See everyone's executions and results; one's own need no permission.",
  'cache.invalidate': 'Have cached results forgotten.',
  'row_policy.read': 'See row policies.',
  'data_source.manage': 'Make, change, test, pause and delete data sources, and see their options.',
  'execution.manage': "Cancel everyone's executions; one's own need no permission.",
  'user.read': 'List users, and see their private fields.',
  'user.manage': 'Make, change and disable users.',
  'identity_provider.manage': 'See, make, change and delete the identity providers that users sign in through.',
  'scim.manage': 'Provision users and groups by SCIM: make, change, put out and delete them, whatever their roles.',
  'row_policy.manage': 'Make, change and delete row policies.',
  'webhook.manage':
    "Make, change and delete webhooks, which tell of everyone's executions, and see what they have sent.",
  'audit.read': 'Read, export and verify the audit log.',
  'audit.manage': 'Set how long the audit log is kept, and where it is forwarded to.',
  'workspace.manage': 'Change the settings of the workspace.',
  'grant.manage': 'Reach everything that is restricted, and give and take grants on it.',
  'role.manage': 'Make, change and delete custom roles.',
  'service_account.manage': 'Make, change and disable service accounts, and make and revoke their API keys.',
  'guest.mint': 'Let in embedded guests.',
  'operations.read': 'See what operators see: queues, workers and their state.',
  'operations.manage': 'Kill what runs, and drain workers.',
} as const satisfies Record<string, string>;

export type Permission = keyof typeof permissions;

// The keys of an object literal are its own names.
export const permissionNames = Object.keys(permissions) as readonly Permission[];

export function isPermission(name: string): name is Permission {
  return Object.hasOwn(permissions, name);
}
