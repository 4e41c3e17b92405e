import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startRedis, unprivileged, until } from '#libs/testing';
import { TestBackups } from './test/test-backups.ts';

const run = promisify(execFile);

let here: TestBackups;
beforeEach(async () => {
  here = await TestBackups.create();
});
afterEach(() => here.remove());

const script: TestBackups['script'] = (...arguments_) => here.script(...arguments_);
const own = (name: string): Promise<string> => here.own(name);
const isStamp = (name: string): boolean => /^\d{8}T\d{6}Z$/.test(name);

describe('Redis', () => {
  it('is restored from append-only files, and from the RDB where there are none', async () => {
    await using redis = await startRedis({ appendonly: true, args: ['--repl-diskless-sync-delay', '0'] });
    const client = new Redis(redis.url);
    await client.mset('one', 1, 'two', 2);
    const [, data] = (await client.config('GET', 'dir')) as [string, string];
    await run('chmod', ['-R', 'a+rX', data]);
    client.disconnect();
    const servers = { SLUICE_BACKUP_REDIS_URLS: `broker=${redis.url}` };
    const files = { SLUICE_BACKUP_REDIS_DIRECTORIES: `broker=${join(data, 'appendonlydir')}` };
    for (const [more, flag] of [
      [files, 'yes'],
      [{}, 'no'],
    ] as const) {
      const backup = await script('backup-redis.sh', { ...servers, ...more });
      const restored = join(here.directory, `redis-${flag}`);
      await script('restore-redis.sh', {}, 'broker', restored, backup);
      await using again = await startRedis({ args: ['--dir', restored, '--appendonly', flag] });
      const reader = new Redis(again.url);
      expect(await reader.mget('one', 'two')).toEqual(['1', '2']);
      reader.disconnect();
    }
    expect(await here.secondsOfMetric('redis')).toBeGreaterThan(0);
  });
});

describe('Redis with users', () => {
  const password = 'a-password-of-the-backup';

  it('is backed up by the user who may do that alone, whose password is no argument of a program', async () => {
    await using redis = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
    const admin = new Redis(redis.url);
    const users = await readFile(join(import.meta.dirname, '../redis/users-broker.acl'), 'utf8');
    const [, rules = ''] = /^user sluice-backup off (.*)$/m.exec(users) ?? [];
    await admin.set('one', 1);
    await admin.call('ACL', 'SETUSER', 'sluice-backup', 'on', `>${password}`, ...rules.split(' '));
    await admin.call('ACL', 'SETUSER', 'default', 'off');
    const at = (login: string): Record<string, string> => ({
      SLUICE_BACKUP_REDIS_URLS: `broker=${redis.url.replace('://', `://${login}@`)}`,
      REDISCLI_AUTH: password,
    });
    const backup = await script('backup-redis.sh', at('sluice-backup'));
    expect((await stat(join(backup, 'broker.rdb'))).size).toBeGreaterThan(0);
    await expect(script('backup-redis.sh', at(`sluice-backup:${password}`))).rejects.toThrow(/has a password: give it/);
    admin.disconnect();
  });
});

describe('The result store', () => {
  it('is restored file by file; each backup costs what is new', async () => {
    const store = await own('store');
    const env = { SLUICE_STORE_DIRECTORY: store };
    await mkdir(join(store, 'wsp_1'));
    await writeFile(join(store, 'wsp_1/page'), 'rows');
    const first = await script('backup-results.sh', env);
    await rename(first, first.replace(/\d{6}Z$/, '000000Z'));
    await writeFile(join(store, 'wsp_1/later'), 'more rows');
    const second = await script('backup-results.sh', env);
    expect((await stat(join(second, 'objects/wsp_1/page'))).nlink).toBe(2);
    await rm(store, { recursive: true });
    await script('restore-results.sh', { SLUICE_STORE_DIRECTORY: await own('store') });
    expect(await readFile(join(store, 'wsp_1/page'), 'utf8')).toBe('rows');
    expect(await readFile(join(store, 'wsp_1/later'), 'utf8')).toBe('more rows');
  });

  // A path is a remote of rclone's as a bucket is.
  it.skipIf(!existsSync('/usr/bin/rclone'))(
    'that is a bucket is restored too, and each backup is copied elsewhere',
    async () => {
      const [bucket, elsewhere] = [await own('bucket'), await own('elsewhere')];
      const env = { SLUICE_BACKUP_STORE_REMOTE: bucket, SLUICE_BACKUP_REMOTE: elsewhere, HOME: here.directory };
      await writeFile(join(bucket, 'page'), 'rows');
      const first = await script('backup-results.sh', env);
      await rename(first, first.replace(/\d{6}Z$/, '000000Z'));
      await writeFile(join(bucket, 'later'), 'more rows');
      const backup = await script('backup-results.sh', env);
      expect((await stat(join(backup, 'objects/page'))).nlink).toBe(2);
      expect(await readFile(join(elsewhere, 'results', basename(backup), 'objects/page'), 'utf8')).toBe('rows');
      await rm(join(bucket, 'page'));
      await script('restore-results.sh', env);
      expect(await readFile(join(bucket, 'page'), 'utf8')).toBe('rows');
    },
  );

  it('is restored to where the services can reach it, though nothing was there', async () => {
    const store = await own('store');
    await writeFile(join(store, 'page'), 'rows');
    await script('backup-results.sh', { SLUICE_STORE_DIRECTORY: store });
    await script('restore-results.sh', { SLUICE_STORE_DIRECTORY: join(here.directory, 'lib/sluice/results') });
    for (const name of ['lib', 'lib/sluice']) expect((await stat(join(here.directory, name))).mode & 0o777).toBe(0o755);
  });

  it('is saved by one run at a time: another leaves what is half done alone', async () => {
    const store = await own('store');
    await writeFile(join(store, 'page'), 'rows');
    const [begun, go] = [join(store, 'begun'), join(here.directory, 'go')];
    const wait = `#!/bin/sh\ntouch ${begun}\nwhile [ ! -e ${go} ]; do sleep 0.05; done\nexec /usr/bin/rsync "$@"\n`;
    const env = { SLUICE_STORE_DIRECTORY: store };
    const first = script('backup-results.sh', { ...env, PATH: await here.program('rsync', wait) });
    await until(() => existsSync(begun), { what: 'the first run' });
    await expect(script('backup-results.sh', env)).rejects.toThrow(/another backup of the kind results is under way/);
    await writeFile(go, '');
    await script('restore-results.sh', { SLUICE_STORE_DIRECTORY: await own('again') }, await first);
    expect(await readFile(join(here.directory, 'again/page'), 'utf8')).toBe('rows');
  });

  it.skipIf(!existsSync('/usr/bin/rclone'))('does not look whole elsewhere where the copy broke off', async () => {
    const [store, elsewhere] = [await own('store'), await own('elsewhere')];
    await writeFile(join(store, 'page'), 'rows');
    const breaking = `#!/bin/sh\n[ "$1" != check ] || exit 1\nexec /usr/bin/rclone "$@"\n`;
    const env = { SLUICE_STORE_DIRECTORY: store, SLUICE_BACKUP_REMOTE: elsewhere, HOME: here.directory };
    const broken = { ...env, PATH: await here.program('rclone', breaking) };
    await expect(script('backup-results.sh', broken)).rejects.toThrow();
    const [stamp = ''] = await readdir(join(elsewhere, 'results'));
    await rm(here.backups, { recursive: true });
    await run('cp', ['-a', elsewhere, here.backups]);
    await expect(script('restore-results.sh', env)).rejects.toThrow(/no backup of the kind results/);

    // Nor is it the last, which is kept however old it is.
    await rename(join(elsewhere, 'results', stamp), join(elsewhere, 'results/20200102T000000Z'));
    await writeFile(join(await own('elsewhere/results/20200101T000000Z'), 'SHA256SUMS'), '');
    await script('prune.sh', env);
    expect(await readdir(join(elsewhere, 'results'))).toEqual(['20200101T000000Z']);
    await rename(await script('backup-results.sh', env), join(here.backups, 'results/20200103T000000Z'));
    expect(await readdir(join(elsewhere, 'results'))).toHaveLength(2);
    await script('prune.sh', env);
    expect(await readdir(join(elsewhere, 'results'))).not.toContain('20200101T000000Z');
  });

  it.skipIf(!existsSync('/usr/bin/rclone'))('that was brought back in part is not taken for whole', async () => {
    const [store, elsewhere] = [await own('store'), await own('elsewhere')];
    await writeFile(join(store, 'page'), 'rows');
    const env = { SLUICE_STORE_DIRECTORY: store, SLUICE_BACKUP_REMOTE: elsewhere, HOME: here.directory };
    const backup = await script('backup-results.sh', env);
    await rm(here.backups, { recursive: true });
    await own('backups');
    const breaking = `#!/bin/sh\n[ "$1" != check ] || exit 1\nexec /usr/bin/rclone "$@"\n`;
    const broken = { ...env, PATH: await here.program('rclone', breaking) };
    await expect(script('bring-back.sh', broken, 'results')).rejects.toThrow();
    await expect(script('restore-results.sh', env)).rejects.toThrow(/no backup of the kind results/);
    expect(existsSync(backup)).toBe(false);
    expect(await script('bring-back.sh', env, 'results')).toBe(backup);
    expect(existsSync(`${backup}.partial`)).toBe(false);
    await script('restore-results.sh', { ...env, SLUICE_STORE_DIRECTORY: await own('again') });
    expect(await readFile(join(here.directory, 'again/page'), 'utf8')).toBe('rows');
    await expect(script('bring-back.sh', env, 'redis')).rejects.toThrow(/no backup of the kind redis/);
  });

  it.skipIf(!existsSync('/usr/bin/rclone'))('that is here is not touched by what brings back', async () => {
    const [store, elsewhere] = [await own('store'), await own('elsewhere')];
    await writeFile(join(store, 'page'), 'rows');
    const env = { SLUICE_STORE_DIRECTORY: store, SLUICE_BACKUP_REMOTE: elsewhere, HOME: here.directory };
    const breaking = `#!/bin/sh\n[ "$1" != copy ] || exit 1\nexec /usr/bin/rclone "$@"\n`;
    const broken = { ...env, PATH: await here.program('rclone', breaking) };
    await expect(script('backup-results.sh', broken)).rejects.toThrow();
    const [kept = ''] = await readdir(join(here.backups, 'results')).then((names) => names.filter(isStamp));
    const restored = async (name: string): Promise<string> => {
      await script(
        'restore-results.sh',
        { SLUICE_STORE_DIRECTORY: await own(name) },
        join(here.backups, 'results', kept),
      );
      return await readFile(join(here.directory, name, 'page'), 'utf8');
    };

    // Whole here alone, and then there too, where the network goes.
    expect(await script('bring-back.sh', env, 'results', kept)).toBe(join(here.backups, 'results', kept));
    expect(await restored('alone')).toBe('rows');
    await run('cp', ['-a', join(here.backups, 'results'), elsewhere]);
    expect(await script('bring-back.sh', broken, 'results', kept)).toBe(join(here.backups, 'results', kept));
    expect(await restored('both')).toBe('rows');

    await appendFile(join(here.backups, 'results', kept, 'objects/page'), '!');
    await expect(script('bring-back.sh', env, 'results', kept)).rejects.toThrow(/not whole: move it aside/);
    expect(existsSync(join(here.backups, 'results', kept, 'SHA256SUMS'))).toBe(true);
    await rename(join(here.backups, 'results', kept), join(here.directory, 'aside'));
    await script('bring-back.sh', env, 'results', kept);
    expect(await restored('again')).toBe('rows');
    await expect(script('bring-back.sh', env, 'results', '20200101T000000Z')).rejects.toThrow(
      /no whole backup 20200101T000000Z of the kind results/,
    );
    expect(await readdir(join(here.backups, 'results'))).not.toContain('20200101T000000Z');
  });

  it.skipIf(!existsSync('/usr/bin/rclone'))(
    'is not saved while it is brought back, which that would delete',
    async () => {
      const [store, elsewhere] = [await own('store'), await own('elsewhere')];
      await writeFile(join(store, 'page'), 'rows');
      const env = { SLUICE_STORE_DIRECTORY: store, SLUICE_BACKUP_REMOTE: elsewhere, HOME: here.directory };
      const backup = await script('backup-results.sh', env);
      await rm(backup, { recursive: true });
      const [begun, go] = [join(store, 'begun'), join(here.directory, 'go')];
      const waiting = `#!/bin/sh\nif [ "$1" = check ]; then touch ${begun}; while [ ! -e ${go} ]; do sleep 0.05; done; fi\nexec /usr/bin/rclone "$@"\n`;
      const back = script('bring-back.sh', { ...env, PATH: await here.program('rclone', waiting) }, 'results');
      await until(() => existsSync(begun), { what: 'what is fetched' });
      await expect(script('backup-results.sh', env)).rejects.toThrow(/another backup of the kind results is under way/);
      await writeFile(go, '');
      expect(await back).toBe(backup);
    },
  );

  it('that was tampered with in the backup is not restored', async () => {
    const store = await own('store');
    await writeFile(join(store, 'page'), 'rows');
    const backup = await script('backup-results.sh', { SLUICE_STORE_DIRECTORY: store });
    await appendFile(join(backup, 'objects/page'), '!');
    await expect(script('restore-results.sh', { SLUICE_STORE_DIRECTORY: store })).rejects.toThrow(
      /not as it was written/,
    );
  });
});

describe('Keys', () => {
  async function holder(): Promise<Record<string, string>> {
    const place = await own('holder');
    const [key, certificate] = [join(place, 'key.pem'), join(place, 'certificate.pem')];
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=keys', '-days', '2'];
    await run('openssl', [...request, '-keyout', key, '-out', certificate], unprivileged);
    await writeFile(join(place, 'master-keys'), 'k1:c2VjcmV0', { mode: 0o644 });
    return {
      SLUICE_BACKUP_KEY_CERTIFICATE: certificate,
      SLUICE_BACKUP_KEY_FILES: join(place, 'master-keys'),
      SLUICE_BACKUP_KEYS_DIRECTORY: await own('keys'),
    };
  }

  it('are restored by the private key of their holder alone', async () => {
    const env = await holder();
    const backup = await script('backup-keys.sh', env);
    expect(await readFile(join(backup, 'master-keys.cms'))).not.toContain('k1:');
    expect(await script('restore-keys.sh', env, join(here.directory, 'holder/key.pem'), 'master-keys')).toBe(
      'k1:c2VjcmV0',
    );
  });

  it('never lie among the backups of what they open', async () => {
    const env = { ...(await holder()), SLUICE_BACKUP_KEYS_DIRECTORY: join(here.backups, 'keys') };
    await expect(script('backup-keys.sh', env)).rejects.toThrow(/do not lie with the backups/);
  });
});

describe('Old backups', () => {
  it('go after the time that they are kept, but for the last of a kind', async () => {
    for (const name of ['redis/20200101T000000Z', 'redis/20200102T000000Z', 'results/20200101T000000Z']) {
      await own(join('backups', name));
    }
    await script('prune.sh', {});
    expect(await readdir(join(here.backups, 'redis'))).toEqual(['20200102T000000Z']);
    expect(await readdir(join(here.backups, 'results'))).toEqual(['20200101T000000Z']);
  });

  // A path is a remote of rclone's as a bucket is.
  it.skipIf(!existsSync('/usr/bin/rclone'))('go elsewhere too, with the WAL that is left over there', async () => {
    const elsewhere = await own('elsewhere');
    const env = { SLUICE_BACKUP_REMOTE: elsewhere, HOME: here.directory };
    const recent = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
    for (const name of ['20200101T000000Z', '20200102T000000Z', recent]) {
      await writeFile(join(await own(`elsewhere/results/${name}`), 'SHA256SUMS'), '');
      const label = `START WAL LOCATION: 0/3000028 (file 00000002000000000000000${name === recent ? 3 : 1})\n`;
      await writeFile(join(await own(`elsewhere/base/${name}/data`), 'backup_label'), label);
      await writeFile(join(elsewhere, 'base', name, 'SHA256SUMS'), '');
    }
    await writeFile(join(await own('elsewhere/postgres/20200101T000000Z'), 'SHA256SUMS'), '');
    const wal = await own('elsewhere/wal');
    // Of the timeline before as well, and its history, which is needed for ever.
    const segments = ['000000010000000000000001', '000000020000000000000002', '000000020000000000000003'];
    for (const name of [...segments, '00000002.history']) await writeFile(join(wal, name), '');
    await script('prune.sh', { ...env, SLUICE_BACKUP_REMOTE_KEEP_DAYS: '0' });
    expect(await readdir(join(elsewhere, 'results'))).toHaveLength(3);
    await script('prune.sh', env);
    expect(await readdir(join(elsewhere, 'results'))).toEqual([recent]);
    expect(await readdir(join(elsewhere, 'base'))).toEqual([recent]);
    expect(await readdir(join(elsewhere, 'postgres'))).toEqual(['20200101T000000Z']);
    expect((await readdir(wal)).toSorted()).toEqual(['00000002.history', '000000020000000000000003']);
  });

  it('stay when a backup of the night has failed, whose kind is told as one that never succeeded', async () => {
    const old = await own('backups/results/20200101T000000Z');
    await own('backups/results/20200102T000000Z');
    const env = { SLUICE_BACKUP_KINDS: 'backup-results', SLUICE_STORE_DIRECTORY: '' };
    await expect(script('backup.sh', env)).rejects.toThrow(/failed: backup-results/);
    expect((await stat(old)).isDirectory()).toBe(true);
    expect(await here.secondsOfMetric('results')).toBe(0);
  });

  it('are told by the time of the last that succeeded, though one has failed since', async () => {
    await script('backup-results.sh', { SLUICE_STORE_DIRECTORY: await own('store') });
    const seconds = await here.secondsOfMetric('results');
    await expect(script('backup-results.sh', { SLUICE_STORE_DIRECTORY: '' })).rejects.toThrow(/names the bucket/);
    expect(await here.secondsOfMetric('results')).toBe(seconds);
  });
});
