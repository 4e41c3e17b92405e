import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { delay } from '#libs/kernel';
import { services } from '../../deploy/local/mesh.js';
import { RunningMesh } from '../support/running-mesh.js';
import { TestMesh } from '../support/test-mesh.js';
import { isNotTried } from './not-tried.js';
import { noFaults, Trial } from './trial.js';

/** Debian's libfaketime, in a directory that is named after the machine's architecture. */
const library = readdirSync('/usr/lib')
  .map((folder) => join('/usr/lib', folder, 'faketime', 'libfaketimeMT.so.1'))
  .find((path) => existsSync(path));

const skewMs = 8_000;

// The wall clock of a process is moved while it runs; what measures time in it goes on, as on a machine whose clock is set.
const missing = library === undefined ? ["Debian's package libfaketime"] : [];
describe.skipIf(isNotTried('a clock that is five minutes wrong', missing))('A clock that is five minutes wrong', () => {
  const closing = new AsyncDisposableStack();
  let clocks = '';
  let started: TestMesh;
  let mesh: RunningMesh;
  const setClock = (name: string, offset: string): void => writeFileSync(join(clocks, name), `${offset}\n`);

  beforeAll(async () => {
    clocks = mkdtempSync(join(tmpdir(), 'sluice-clocks-'));
    closing.defer(() => rmSync(clocks, { recursive: true }));
    started = await TestMesh.start({
      moreGateways: 1,
      moreWorkers: 1,
      place: (name) => {
        setClock(name, '+0');
        return {
          env: {
            LD_PRELOAD: library ?? '',
            FAKETIME_TIMESTAMP_FILE: join(clocks, name),
            FAKETIME_CACHE_DURATION: '1',
            DONT_FAKE_MONOTONIC: '1',
            FAKETIME_DONT_FAKE_MONOTONIC: '1',
          },
        };
      },
    });
    closing.use(started);
    mesh = closing.use(new RunningMesh(started.accessData));
  });
  afterAll(() => closing.disposeAsync());

  test('at any service, ahead or behind, keeps no client out and breaks no promise', async () => {
    const trial = await Trial.begin({ name: 'clock skew', mesh });
    for (const name of services) {
      for (const offset of ['+300', '-300']) {
        await trial.outage(`${name} by ${offset} s`, async () => {
          setClock(name, offset);
          await delay(skewMs);
          setClock(name, '+0');
        });
      }
    }
    // Started with a wrong clock, and each of a pair with another.
    await trial.outage('restart of both workers, one ahead and one behind', async () => {
      for (const [name, offset] of [
        ['worker', '+300'],
        ['worker-2', '-300'],
      ] as const) {
        setClock(name, offset);
        await started.mesh.child(name).stop();
        started.mesh.child(name).start();
        await started.mesh.waitForService(name);
      }
      await delay(skewMs);
    });
    const { faults, errors } = await trial.end();
    expect(faults).toEqual(noFaults);
    expect(errors.filter((error) => /UNAUTHENTICATED|FORBIDDEN/.test(error))).toEqual([]);
  });
});
