import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { delay } from '#libs/kernel';
import { until } from '#libs/testing';
import { waitForPostgres } from '../../deploy/local/postgres.js';
import { RunningMesh } from '../support/running-mesh.js';
import { TestMesh } from '../support/test-mesh.js';
import { missingForMounts } from './mounts.js';
import { isNotTried } from './not-tried.js';
import { noFaults, Trial } from './trial.js';

const mb = 2 ** 20;
const fullMs = 8_000;

/** An installation with one of its folders on a file system in memory, that a file can fill. */
class SmallDisk implements AsyncDisposable {
  private constructor(
    private readonly place: string,
    readonly started: TestMesh,
    readonly mesh: RunningMesh,
  ) {}

  static async start(folder: string, bytes: number): Promise<SmallDisk> {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
    const place = join(directory, folder);
    mkdirSync(place);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', place]);
    chmodSync(place, 0o755);
    const started = await TestMesh.start({ moreGateways: 1, moreWorkers: 1, directory });
    return new SmallDisk(place, started, new RunningMesh(started.accessData));
  }

  /** Leaves no room for anything more. */
  fill(): void {
    for (const bytes of [mb, 4_096]) {
      try {
        for (;;) appendFileSync(this.ballast, Buffer.alloc(bytes));
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
      }
    }
  }

  empty(): void {
    rmSync(this.ballast);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mesh.close();
    await this.started.stop();
    execFileSync('umount', [this.place]);
    rmSync(this.started.directory, { recursive: true });
  }

  private get ballast(): string {
    return join(this.place, 'ballast');
  }
}

describe.skipIf(isNotTried('a full disk', missingForMounts()))('A disk that is full', () => {
  test('under the result store fails what needs pages, and nothing else', async () => {
    await using disk = await SmallDisk.start('results', 256 * mb);
    const trial = await Trial.begin({ name: 'full disk of results', mesh: disk.mesh });
    for (let round = 1; round <= 3; round += 1) {
      await trial.outage(`no room for results, ${round}`, async () => {
        disk.fill();
        await delay(fullMs);
        disk.empty();
      });
    }
    const { faults, ends } = await trial.end();
    expect(faults).toEqual(noFaults);
    const failures = Object.keys(ends).filter((end) => end.includes('FAILED'));
    expect(failures.length).toBeGreaterThan(0);
    for (const failure of failures) expect(failure).toMatch(/rows: FAILED result.store_/);
  });

  test('under PostgreSQL stops it, and it goes on where it was when there is room', async () => {
    await using disk = await SmallDisk.start('postgres', 400 * mb);
    const { started, mesh } = disk;
    const trial = await Trial.begin({ name: 'full disk of PostgreSQL', mesh });
    const postgres = started.mesh.child('postgres');
    await trial.outage('no room for PostgreSQL', async () => {
      disk.fill();
      await delay(fullMs);
      disk.empty();
      const isBack = async (): Promise<boolean> => {
        // It ends itself where it cannot write its log; a supervisor starts it again.
        if (!postgres.isRunning) postgres.start();
        await waitForPostgres(started.mesh.postgresUrl('postgres'));
        return true;
      };
      await until(isBack, { timeoutMs: 60_000, what: 'PostgreSQL with room again' });
    });
    const { faults } = await trial.end();
    expect(faults).toEqual(noFaults);
  });
});
