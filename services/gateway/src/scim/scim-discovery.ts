import { scimSchemas, type ScimObject } from './scim-resource.js';

const metaSchemas = 'urn:ietf:params:scim:schemas:core:2.0';

/** What of SCIM there is, for clients that ask before they begin. */
export function serviceProviderConfig(base: string): ScimObject {
  return {
    schemas: [`${metaSchemas}:ServiceProviderConfig`],
    patch: { supported: true },
    bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
    filter: { supported: true, maxResults: 200 },
    changePassword: { supported: false },
    sort: { supported: false },
    etag: { supported: true },
    authenticationSchemes: [
      {
        type: 'oauthbearertoken',
        name: 'API key',
        description: 'Authorization: Bearer <an API key with the permission scim.manage>',
        primary: true,
      },
    ],
    meta: { resourceType: 'ServiceProviderConfig', location: `${base}/ServiceProviderConfig` },
  };
}

export function resourceTypes(base: string): ScimObject[] {
  return (['User', 'Group'] as const).map((name) => ({
    schemas: [`${metaSchemas}:ResourceType`],
    id: name,
    name,
    endpoint: `/${name}s`,
    schema: name === 'User' ? scimSchemas.user : scimSchemas.group,
    meta: { resourceType: 'ResourceType', location: `${base}/ResourceTypes/${name}` },
  }));
}

export function schemas(base: string): ScimObject[] {
  return [
    { id: scimSchemas.user, name: 'User', attributes: userAttributes },
    { id: scimSchemas.group, name: 'Group', attributes: groupAttributes },
  ].map((schema) => ({
    schemas: [`${metaSchemas}:Schema`],
    ...schema,
    meta: { resourceType: 'Schema', location: `${base}/Schemas/${schema.id}` },
  }));
}

interface Traits {
  readonly type?: string;
  readonly multiValued?: boolean;
  readonly required?: boolean;
  readonly mutability?: string;
  readonly uniqueness?: string;
  readonly returned?: string;
  readonly subAttributes?: readonly ScimObject[];
}

function attribute(name: string, traits: Traits = {}): ScimObject {
  return {
    name,
    type: 'string',
    multiValued: false,
    required: false,
    caseExact: false,
    mutability: 'readWrite',
    returned: 'default',
    uniqueness: 'none',
    ...traits,
  };
}

const userAttributes = [
  attribute('userName', { required: true, uniqueness: 'server' }),
  attribute('name', {
    type: 'complex',
    subAttributes: ['formatted', 'familyName', 'givenName'].map((name) => attribute(name)),
  }),
  attribute('displayName'),
  attribute('emails', {
    type: 'complex',
    multiValued: true,
    subAttributes: [attribute('value'), attribute('type'), attribute('primary', { type: 'boolean' })],
  }),
  attribute('active', { type: 'boolean' }),
  attribute('groups', {
    type: 'complex',
    multiValued: true,
    mutability: 'readOnly',
    subAttributes: ['value', 'display', '$ref'].map((name) => attribute(name, { mutability: 'readOnly' })),
  }),
];

const groupAttributes = [
  attribute('displayName', { required: true, mutability: 'immutable', uniqueness: 'server' }),
  attribute('members', {
    type: 'complex',
    multiValued: true,
    returned: 'request',
    subAttributes: ['value', 'display', 'type', '$ref'].map((name) => attribute(name, { mutability: 'immutable' })),
  }),
];
