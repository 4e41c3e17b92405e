import { ApolloServerPluginCacheControlDisabled } from '@apollo/server/plugin/disabled';
import type { ApolloDriverConfig } from '@nestjs/apollo';
import { scalars } from '../common/scalars.js';
import { formatError } from '../errors/format-error.js';
import { withLocatableErrors } from '../errors/locatable.js';
import type { GatewayConfig } from '../gateway.config.js';
import type { PreparedDocuments } from '../operations/prepared-documents.js';
import { currentRequestId } from '../request/request-scope.js';
import { stringifyWithRows } from '../results/raw-rows.js';
import { readTypeDefs } from '../schema/type-defs.js';
import { ApolloWithoutExpress } from './apollo-without-express.driver.js';
import { graphqlPath } from './graphql-path.js';

/** Apollo Server's part: it executes what GraphqlHttp hands it. */
export function graphqlOptions(
  config: Pick<GatewayConfig, 'introspection'>,
  documents: PreparedDocuments,
): ApolloDriverConfig {
  return {
    driver: ApolloWithoutExpress,
    path: graphqlPath,
    typeDefs: readTypeDefs(),
    resolvers: { ...scalars },
    transformSchema: withLocatableErrors,
    formatError: (_formatted, error) => formatError(error, currentRequestId()),
    stringifyResult: stringifyWithRows,
    documentStore: documentStore(documents),
    introspection: config.introspection,
    graphiql: false,
    // It would be called for each field, to no end: answers are not to be stored.
    plugins: [ApolloServerPluginCacheControlDisabled()],
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    includeStacktraceInErrorResponses: false,
    hideSchemaDetailsFromClientErrors: true,
    // Who is not signed in is answered with 401, which the driver would make a 200.
    preserveHttpStatusForExecutionErrors: false,
    autoTransformHttpErrors: false,
    stopOnTerminationSignals: false,
  };
}

/** Apollo asks for documents by a prefix and the SHA-256 of their text, and parses only those that are not here. */
function documentStore(documents: PreparedDocuments): ApolloDriverConfig['documentStore'] {
  const hashLength = 64;
  return {
    get: async (key) => documents.byHash(key.slice(-hashLength)),
    set: async () => {},
    delete: async () => false,
  };
}
