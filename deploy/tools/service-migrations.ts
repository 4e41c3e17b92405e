import { globSync } from 'node:fs';
import { basename, resolve } from 'node:path';

/** A migration of a service, as TypeORM takes it. */
export interface ServiceMigration {
  readonly service: string;
  readonly name: string;
  readonly timestamp: number;
  readonly migration: {
    readonly transaction?: boolean;
    readonly contracts?: string;
    up(runner: unknown): Promise<void>;
  };
}

const root = resolve(import.meta.dirname, '../..');

/** All migrations of all services in their order. Read by the names of their files: nothing imports a service. */
export async function serviceMigrations(): Promise<readonly ServiceMigration[]> {
  const files = globSync('services/*/src/**/migrations/[0-9]*.ts', { cwd: root })
    .filter((file) => !file.endsWith('spec.ts'))
    .toSorted((one, other) => basename(one).localeCompare(basename(other)));
  return Promise.all(
    files.map(async (file) => {
      const module_ = (await import(resolve(root, file))) as Record<string, new () => ServiceMigration['migration']>;
      const [[name, Migration] = []] = Object.entries(module_).filter(([key]) => /\d{13}$/.test(key));
      if (name === undefined || !Migration) throw new Error(`${file} has no migration`);
      const timestamp = Number(basename(file).slice(0, 13));
      return { service: file.split('/')[1] ?? '', name, timestamp, migration: new Migration() };
    }),
  );
}

const escape = (name: string): string => `"${name}"`;

/** What a migration says to the database, without one. */
export async function statementsOf({ migration, name, service }: ServiceMigration): Promise<string[]> {
  const statements: string[] = [];
  const query = (text: string): Promise<unknown[]> => {
    statements.push(text);
    return Promise.resolve([]);
  };
  const runner = new Proxy(
    { query, manager: { query }, dataSource: { options: { schema: service }, driver: { escape } } },
    {
      get(target, key) {
        const member: unknown = Reflect.get(target, key);
        if (member === undefined) throw new Error(`${name} uses ${String(key)}: a migration speaks SQL alone`);
        return member;
      },
    },
  );
  await migration.up(runner);
  return statements;
}
