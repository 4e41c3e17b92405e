import type { SourceType } from './source-type.js';

export type PostgresSslMode = 'disable' | 'require' | 'verify-full';

/** The options of a PostgreSQL source, defaults filled in. */
export interface PostgresSourceOptions {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password?: string;
  readonly ssl: { readonly mode: PostgresSslMode; readonly ca?: string };
  /** The search path. */
  readonly schemas: readonly string[];
  /** Not set: no ceiling. */
  readonly maxEstimatedRows?: number;
  readonly maxEstimatedCost?: number;
  /** By the name of a setting: what of the caller it holds, such as `user.region`. */
  readonly sessionSettings?: Readonly<Record<string, string>>;
}

// A driver reads more than a name in these: a path as a socket's directory, commas as a list of servers, `=` as options.
// So each allows what a name is made of and nothing else.
const hostPattern =
  '^(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\\.(?!$)|\\.?$))+$|^(?=[^:]*:[^:]*:)[0-9A-Fa-f:.]+$';
const namePattern = '^[^\\u0000-\\u001f\\u007f=/?]+$';
// Of an application, not of the server or an extension of it, and not one that Sluice sets itself.
const settingPattern = '^(?!sluice\\.|plpgsql\\.|pg_)[a-z_][a-z0-9_]{0,30}\\.[a-z_][a-z0-9_]{0,30}$';
const textPattern = '^[^\\u0000-\\u001f\\u007f]+$';

export const postgresType: SourceType = {
  name: 'postgres',
  title: 'PostgreSQL',
  capabilities: ['CANCEL', 'STREAM', 'COST_ESTIMATE', 'SCHEMA', 'READ_ONLY_TRANSACTION'],
  destination: ['host', 'port', 'ssl'],
  optionsSchema: {
    type: 'object',
    additionalProperties: false,
    required: ['host', 'database', 'user'],
    properties: {
      host: {
        type: 'string',
        title: 'Host',
        description: 'The name or IP address of one server; not a path, not a list.',
        minLength: 1,
        maxLength: 253,
        pattern: hostPattern,
      },
      port: { type: 'integer', title: 'Port', minimum: 1, maximum: 65_535, default: 5432 },
      database: {
        type: 'string',
        title: 'Database',
        description: 'The name of a database; not a connection string.',
        minLength: 1,
        maxLength: 63,
        pattern: namePattern,
      },
      user: {
        type: 'string',
        title: 'User',
        description: 'A role that may read what shall be asked, and nothing more.',
        minLength: 1,
        maxLength: 63,
        pattern: textPattern,
      },
      password: {
        type: 'string',
        title: 'Password',
        description: 'The password of the user.',
        writeOnly: true,
        minLength: 1,
        maxLength: 1_000,
        pattern: '^[^\\u0000]+$',
      },
      ssl: {
        type: 'object',
        title: 'TLS',
        description: 'Not set: require, or disable where the host is this machine itself.',
        additionalProperties: false,
        required: ['mode'],
        properties: {
          mode: {
            type: 'string',
            title: 'Mode',
            description: 'verify-full also checks that the server is the one that was meant.',
            enum: ['disable', 'require', 'verify-full'],
          },
          ca: {
            type: 'string',
            title: 'CA certificate',
            description: 'PEM of the authorities that verify-full trusts; not set: those of the system.',
            maxLength: 65_536,
            pattern: '^\\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\\s-]+-----END CERTIFICATE-----\\s*$',
          },
        },
      },
      maxEstimatedRows: {
        type: 'integer',
        title: 'Ceiling of estimated rows',
        description:
          'A query of whose plan a step is estimated to have more rows needs the permission expensive_query.run. Not set: no ceiling.',
        minimum: 1,
        maximum: 1e15,
      },
      maxEstimatedCost: {
        type: 'number',
        title: 'Ceiling of estimated cost',
        description:
          "A query whose plan is estimated to cost more, in the planner's own unit, needs the permission expensive_query.run. Not set: no ceiling.",
        minimum: 1,
        maximum: 1e15,
      },
      sessionSettings: {
        type: 'object',
        title: 'Session settings',
        description:
          'Settings that each query has in its session, by their names: user.id, user.email, user.groups or an attribute such as user.region. The row security of the database can go by them.',
        minProperties: 1,
        maxProperties: 20,
        propertyNames: {
          description: 'A setting of an application in small letters, such as app.region.',
          pattern: settingPattern,
        },
        additionalProperties: {
          type: 'string',
          description: 'What of the caller it holds: user. and the name of an attribute.',
          maxLength: 100,
          pattern: '^user\\.[A-Za-z_][A-Za-z0-9_]*$',
        },
      },
      schemas: {
        type: 'array',
        title: 'Schemas',
        description: 'Where names without a schema are looked up, and what the list of tables shows.',
        minItems: 1,
        maxItems: 50,
        uniqueItems: true,
        default: ['public'],
        items: {
          type: 'string',
          description: 'The name of a schema.',
          minLength: 1,
          maxLength: 63,
          pattern: textPattern,
        },
      },
    },
  },
};

const thisMachine = /^(localhost|127\.\d+\.\d+\.\d+|::1)\.?$/i;

/** What is not set and depends on the rest. */
export function completePostgresOptions(
  options: Omit<PostgresSourceOptions, 'ssl'> & Partial<Pick<PostgresSourceOptions, 'ssl'>>,
): PostgresSourceOptions {
  return { ...options, ssl: options.ssl ?? { mode: thisMachine.test(options.host) ? 'disable' : 'require' } };
}
