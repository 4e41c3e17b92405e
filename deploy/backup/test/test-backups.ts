import { execFile } from 'node:child_process';
import { chown, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { unprivileged, unprivilegedDirectory } from '#libs/testing';

const run = promisify(execFile);
const scripts = dirname(import.meta.dirname);

/** The scripts of deploy/backup, and a directory of the test's that they write backups to. */
export class TestBackups {
  readonly backups: string;

  private constructor(readonly directory: string) {
    this.backups = join(directory, 'backups');
  }

  static async create(): Promise<TestBackups> {
    const directory = await unprivilegedDirectory();
    // Whoever runs them there may not see the folder of this repository.
    await cp(scripts, join(directory, 'scripts'), { recursive: true });
    return new TestBackups(directory);
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true });
  }

  async script(name: string, env: Record<string, string>, ...arguments_: string[]): Promise<string> {
    const { stdout } = await run(join(this.directory, 'scripts', name), arguments_, {
      ...unprivileged,
      cwd: this.directory,
      env: { PATH: '/usr/bin:/bin', SLUICE_BACKUP_DIRECTORY: this.backups, ...env },
    });
    return stdout.trim();
  }

  /** A directory of whoever runs the scripts. */
  async own(name: string): Promise<string> {
    // Not by one call, which would leave those between to root.
    const path = join(this.directory, name);
    if (name.includes('/')) await this.own(dirname(name));
    await mkdir(path, { recursive: true });
    if (unprivileged.uid !== undefined) await chown(path, unprivileged.uid, unprivileged.gid);
    return path;
  }

  async secondsOfMetric(kind: string): Promise<number> {
    const text = await readFile(join(this.backups, 'metrics', `sluice_backup_${kind}.prom`), 'utf8');
    return Number(/^sluice_backup_last_success_timestamp_seconds\{kind="\w+"\} (\d+)$/m.exec(text)?.[1]);
  }

  /** A program of the name that goes before the system's; gives the PATH that it is found by. */
  async program(name: string, text: string): Promise<string> {
    const programs = await this.own('programs');
    await writeFile(join(programs, name), text, { mode: 0o755 });
    return `${programs}:/usr/bin:/bin`;
  }

  /** What a server is started with that archives its WAL as postgresql-archive.conf says, by a place.env with more lines. */
  async archiving(...more: string[]): Promise<string[]> {
    const lines = [`SLUICE_BACKUP_DIRECTORY=${this.backups}`, ...more];
    await writeFile(join(this.directory, 'place.env'), `${lines.join('\n')}\n`);
    const settings = await readFile(join(scripts, 'postgresql-archive.conf'), 'utf8');
    const [, shipped = ''] = /^archive_command = '(.*)'$/m.exec(settings) ?? [];
    const command = shipped
      .replace('/etc/sluice-backup/place.env', join(this.directory, 'place.env'))
      .replace('/opt/sluice/deploy/backup', join(this.directory, 'scripts'));
    return ['-c', 'archive_mode=on', '-c', `archive_command=${command}`];
  }
}
