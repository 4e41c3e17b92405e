import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, chown, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemPostgres, unprivileged, until } from '#libs/testing';
import { TestBackups } from './test/test-backups.ts';

const hasRclone = existsSync('/usr/bin/rclone');

let here: TestBackups;
beforeEach(async () => {
  here = await TestBackups.create();
});
afterEach(() => here.remove());

async function lose(server: SystemPostgres, name: string): Promise<void> {
  await server.stop();
  await rm(join(here.directory, name), { recursive: true });
}

/** Ends the file of WAL that is written to, and waits until it is archived. */
async function archived(server: SystemPostgres): Promise<void> {
  const [row] = await server.query<{ file: string }>('select pg_walfile_name(pg_switch_wal()) as file');
  await until(async () => (await readdir(join(here.backups, 'wal'))).includes(row?.file ?? ''), {
    what: 'the archive',
  });
}

async function now(server: SystemPostgres, zone = '+00'): Promise<string> {
  const [row] = await server.query<{ now: string }>(`select (clock_timestamp() at time zone 'UTC')::text as now`);
  return `${row?.now}${zone}`;
}

const changesIn = async (server: SystemPostgres, database = 'postgres'): Promise<number[]> => {
  const rows = await server.query<{ n: number }>('select n from change order by n', database);
  return rows.map(({ n }) => n);
};

/** What is in a server that is restored to there. */
async function restoredTo(goal: readonly string[], ...flags: string[]): Promise<number[]> {
  const data = join(here.directory, `restored${goal[0]}`);
  await here.script('restore-point-in-time.sh', {}, data, '--drill', ...goal);
  await using server = await SystemPostgres.start({ directory: data, flags });
  return await changesIn(server);
}

describe('PostgreSQL', () => {
  it('is restored to a point in time by base backup and archived WAL: what came before is there, what came after is not', async () => {
    await using first = await SystemPostgres.start({
      directory: join(here.directory, 'first'),
      flags: await here.archiving(),
    });
    await first.query('create table change (n integer)');
    await here.script('base-backup.sh', first.environment);
    await first.query('insert into change values (1)');
    await first.query(`select pg_create_restore_point('before_the_mistake')`);
    await first.query('insert into change values (2)');
    // Without a zone, as UTC.
    const time = await now(first, '');
    // One that ended later, of which that time cannot be made.
    const under = await here.own('backups/base/20991231T000000Z');
    await writeFile(join(under, 'ended'), '20991231T000000.000000000Z\n');
    await writeFile(join(under, 'SHA256SUMS'), '');
    await first.query('insert into change values (3)');
    await archived(first);
    await lose(first, 'first');

    const early = ['--drill', '--time', '2020-01-01'];
    await expect(here.script('restore-point-in-time.sh', {}, join(here.directory, 'none'), ...early)).rejects.toThrow(
      /says that it had ended by 20200101T000000.*by --base/,
    );
    expect(await restoredTo(['--time', time], '-c', 'timezone=Asia/Tokyo')).toEqual([1, 2]);
    await rm(under, { recursive: true });
    expect(await restoredTo(['--name', 'before_the_mistake'])).toEqual([1]);
    expect(await restoredTo(['--latest'])).toEqual([1, 2, 3]);
    expect(Date.now() / 1_000 - (await here.secondsOfMetric('base'))).toBeLessThan(60);
  });

  it('that was restored to a time is restored to the end again, from a backup that it was in since', async () => {
    const flags = await here.archiving();
    await using first = await SystemPostgres.start({ directory: join(here.directory, 'first'), flags });
    await first.query('create table change (n integer)');
    await here.script('base-backup.sh', first.environment);
    await first.query('insert into change values (1)');
    const time = await now(first);
    await first.query('insert into change values (2)');
    await archived(first);
    await lose(first, 'first');

    const data = join(here.directory, 'second');
    await here.script('restore-point-in-time.sh', {}, data, '--for-good', '--time', time);
    await using second = await SystemPostgres.start({ directory: data, flags });
    await here.script('base-backup.sh', second.environment);
    await second.query('insert into change values (3)');
    await archived(second);
    await lose(second, 'second');
    expect(await restoredTo(['--latest'])).toEqual([1, 3]);
  });

  it('that is restored for a drill archives nothing, and a later restore goes the way of the server that went on', async () => {
    await using first = await SystemPostgres.start({ directory: join(here.directory, 'first') });
    // As an operator has it: in a file, which is in each base backup.
    const settings = (await here.archiving()).filter((flag) => flag !== '-c').map((flag) => flag.replace('=', ` = '`));
    await appendFile(join(here.directory, 'first/postgresql.conf'), settings.map((line) => `${line}'\n`).join(''));
    await first.stop();
    await using second = await SystemPostgres.start({ directory: join(here.directory, 'first') });
    await second.query('create table change (n integer)');
    await here.script('base-backup.sh', second.environment);
    await second.query('insert into change values (1)');
    await archived(second);

    const data = join(here.directory, 'drill');
    await expect(here.script('restore-point-in-time.sh', {}, data, '--latest')).rejects.toThrow(/say --drill/);
    await here.script('restore-point-in-time.sh', {}, data, '--drill', '--latest');
    const before = await readdir(join(here.backups, 'wal'));
    await using drill = await SystemPostgres.start({ directory: data });
    await drill.query('insert into change values (2)');
    await drill.query('select pg_switch_wal()');
    expect(await drill.query('show archive_mode')).toEqual([{ archive_mode: 'off' }]);
    expect(await readdir(join(here.backups, 'wal'))).toEqual(before);
    // Whatever is restored for good archives, were it from a backup of this one.
    const base = await here.script('base-backup.sh', drill.environment);
    const good = join(here.directory, 'good');
    await here.script('restore-point-in-time.sh', {}, good, '--for-good', '--base', base);
    expect(await readFile(join(good, 'postgresql.auto.conf'), 'utf8')).not.toContain('archive_mode');
    await rm(base, { recursive: true });

    await second.query('insert into change values (3)');
    await archived(second);
    expect(await restoredTo(['--latest'])).toEqual([1, 3]);
  });

  it('that was made anew from a dump goes on in the archive: nothing that its backups need is deleted as old', async () => {
    const flags = await here.archiving();
    await using first = await SystemPostgres.start({ directory: join(here.directory, 'first'), flags });
    await first.query('create database sluice');
    await first.query('create table change (n integer)', 'sluice');
    await here.script('base-backup.sh', first.environment);
    await first.query('insert into change values (1)', 'sluice');
    await archived(first);
    await lose(first, 'first');

    // It has a timeline of its own, as a server has that was restored before.
    const restored = join(here.directory, 'second');
    await here.script('restore-point-in-time.sh', {}, restored, '--for-good', '--latest');
    await using second = await SystemPostgres.start({ directory: restored, flags });
    await here.script('dump-postgres.sh', second.environment);
    await second.query('insert into change values (2)', 'sluice');
    await archived(second);
    await lose(second, 'second');

    await writeFile(join(here.directory, 'password'), 'postgres\n');
    const password = { SLUICE_BACKUP_PASSWORD_FILE: join(here.directory, 'password') };
    const data = join(here.directory, 'third');
    await here.script('new-server.sh', password, data);
    await using third = await SystemPostgres.start({ directory: data, flags });
    await here.script('restore-postgres.sh', third.environment);
    await here.script('base-backup.sh', third.environment);
    await third.query('insert into change values (4)', 'sluice');
    await archived(third);
    await here.script('prune.sh', {});
    await lose(third, 'third');

    const last = join(here.directory, 'fourth');
    await here.script('restore-point-in-time.sh', {}, last, '--for-good', '--latest');
    await using fourth = await SystemPostgres.start({ directory: last });
    expect(await changesIn(fourth, 'sluice')).toEqual([1, 4]);
  });

  it('is restored from a bucket, which keeps no empty directory', async () => {
    await using first = await SystemPostgres.start({
      directory: join(here.directory, 'first'),
      flags: await here.archiving(),
    });
    await first.query('create table change as select 1 as n');
    const base = await here.script('base-backup.sh', first.environment);
    await archived(first);
    await lose(first, 'first');
    await promisify(execFile)('find', [join(base, 'data'), '-type', 'd', '-empty', '-delete']);
    expect(await restoredTo(['--latest'])).toEqual([1]);
  });

  it.skipIf(!hasRclone)(
    'takes a place elsewhere without WAL for the end, and one that cannot be asked for a fault',
    async () => {
      const elsewhere = await here.own('elsewhere');
      const restore = (remote: string): Promise<string> =>
        here.script('restore-wal.sh', { SLUICE_BACKUP_REMOTE: remote, HOME: here.directory }, '00000002.history', 'to');
      await expect(restore(elsewhere)).rejects.toMatchObject({ code: 1 });
      await expect(restore('nowhere:wal')).rejects.toMatchObject({ code: 255 });
      await writeFile(join(await here.own('elsewhere/wal'), '00000002.history'), 'one');
      await restore(elsewhere);
      expect(await readFile(join(here.directory, 'to'), 'utf8')).toBe('one');
    },
  );
});

describe('An archive of WAL', () => {
  const name = '000000010000000000000001';
  /** rclone, with a network that comes back; a path is a remote of its as a bucket is. */
  const reaching = (elsewhere: string): string =>
    `#!/bin/sh\n[ -e ${elsewhere}/up ] || exit 1\nexec /usr/bin/rclone "$@"\n`;

  it('keeps a file that it has already, and takes no other under its name', async () => {
    const file = join(await here.own('wal'), name);
    await writeFile(file, 'one');
    await here.script('archive-wal.sh', {}, file, name);
    await here.script('archive-wal.sh', {}, file, name);
    await writeFile(file, 'two');
    await expect(here.script('archive-wal.sh', {}, file, name)).rejects.toThrow(/other contents/);
    expect(await readFile(join(here.backups, 'wal', name), 'utf8')).toBe('one');
  });

  it.skipIf(!hasRclone)('copies a file elsewhere when it is asked again, where that has failed before', async () => {
    const elsewhere = await here.own('elsewhere');
    const file = join(await here.own('wal'), name);
    await writeFile(file, 'one');
    const path = await here.program('rclone', reaching(elsewhere));
    const env = { PATH: path, SLUICE_BACKUP_REMOTE: elsewhere, HOME: here.directory };
    const archive = (): Promise<string> => here.script('archive-wal.sh', env, file, name);
    await expect(archive()).rejects.toThrow(/elsewhere cannot be read/);
    await writeFile(join(elsewhere, 'up'), '');
    await archive();
    expect(await readFile(join(elsewhere, 'wal', name), 'utf8')).toBe('one');
  });

  it.skipIf(!hasRclone)('replaces nothing elsewhere but what broke off there', async () => {
    const there = join(await here.own('elsewhere/wal'), name);
    const file = join(await here.own('wal'), name);
    await writeFile(file, 'of this server');
    const env = { SLUICE_BACKUP_REMOTE: join(here.directory, 'elsewhere'), HOME: here.directory };
    const archive = (): Promise<string> => here.script('archive-wal.sh', env, file, name);
    const put = async (text: string): Promise<void> => {
      await writeFile(there, text);
      if (unprivileged.uid !== undefined) await chown(there, unprivileged.uid, unprivileged.gid);
    };
    for (const other of ['of that server', 'of this server and more']) {
      await put(other);
      await expect(archive()).rejects.toThrow(/is elsewhere already, with other contents/);
      expect(await readFile(there, 'utf8')).toBe(other);
    }
    await put('of');
    await archive();
    expect(await readFile(there, 'utf8')).toBe('of this server');
    // The same at another time.
    await put('of this server');
    await archive();
  });

  it.skipIf(!hasRclone)('does not take a network that goes for another server', async () => {
    await writeFile(join(await here.own('elsewhere/wal'), name), 'of this server');
    const file = join(await here.own('wal'), name);
    await writeFile(file, 'of this server');
    const going = `#!/bin/sh\nif [ "$1" = cat ]; then printf of; exit 1; fi\nexec /usr/bin/rclone "$@"\n`;
    const path = await here.program('rclone', going);
    const env = { PATH: path, SLUICE_BACKUP_REMOTE: join(here.directory, 'elsewhere'), HOME: here.directory };
    await expect(here.script('archive-wal.sh', env, file, name)).rejects.toThrow(/elsewhere cannot be read/);
  });

  it('tells the server of each failure, were it that the script is missing, so that the alert hears of it', async () => {
    const flags = await here.archiving();
    await rm(join(here.directory, 'scripts/archive-wal.sh'));
    await using server = await SystemPostgres.start({ directory: join(here.directory, 'first'), flags });
    await server.query('create table change (n integer)');
    await server.query('select pg_switch_wal()');
    const failed = async (): Promise<number> => {
      const [row] = await server.query<{ n: number }>('select failed_count::integer as n from pg_stat_archiver');
      return row?.n ?? 0;
    };
    await until(async () => (await failed()) > 0, { what: 'a failure that is counted' });
  });

  it.skipIf(!hasRclone)('lies elsewhere too, by what the server is given as it is shipped', async () => {
    const elsewhere = await here.own('elsewhere');
    await using server = await SystemPostgres.start({
      directory: join(here.directory, 'first'),
      flags: await here.archiving(`SLUICE_BACKUP_REMOTE=${elsewhere}`, `RCLONE_CONFIG=${here.directory}/rclone.conf`),
    });
    await server.query('create table change (n integer)');
    await archived(server);
    await until(async () => (await readdir(join(elsewhere, 'wal'))).length > 0, { what: 'the copy elsewhere' });
  });
});
