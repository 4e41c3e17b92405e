import type { Server } from 'node:http';
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginDrainHttpServer } from '@apollo/server/plugin/drainHttpServer';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';

/** Starts Apollo Server and mounts it nowhere: GraphqlHttp hands it what is to be executed. */
export class ApolloWithoutExpress extends ApolloDriver {
  protected override async registerExpress({ schema, plugins = [], ...options }: ApolloDriverConfig): Promise<void> {
    // The driver has made it of the definitions and resolvers.
    if (!schema) throw new Error('there is no schema to serve');
    // The gateway listens on HTTP, so its adapter's server is one of node:http.
    const httpServer = this.httpAdapterHost.httpAdapter.getHttpServer() as Server;
    this.apolloServer = new ApolloServer({
      ...{ ...options, schema, typeDefs: undefined, resolvers: undefined },
      plugins: [...plugins, ApolloServerPluginDrainHttpServer({ httpServer })],
    });
    await this.apolloServer.start();
  }
}
