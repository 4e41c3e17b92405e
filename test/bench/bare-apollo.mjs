// The control of cached answers: Apollo Server on Express, which answers a constant of as many bytes as its argument says.
import { ApolloServer } from '@apollo/server';
import { expressMiddleware } from '@as-integrations/express5';
import express from 'express';

const constant = 'x'.repeat(Number(process.argv[2]));
const server = new ApolloServer({
  typeDefs: 'type Query { constant: String! }',
  resolvers: { Query: { constant: () => constant } },
  stopOnTerminationSignals: false,
});
await server.start();
const app = express();
app.use('/graphql', express.json(), expressMiddleware(server));
const listener = app.listen(0, '127.0.0.1', () => process.stdout.write(`${listener.address().port}\n`));
// Ends with whoever started it.
process.stdin.resume().on('end', () => process.exit(0));
