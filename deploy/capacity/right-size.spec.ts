import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '#libs/testing';
import { rightSize, verdictOf } from './right-size.ts';

let server: ReturnType<typeof createServer> | undefined;
afterEach(() => server?.close());

/** The metrics of a process that takes `perSecond` of its processor. */
async function processWith(perSecond: number): Promise<string> {
  const begun = performance.now();
  server = createServer((_, response) => {
    const seconds = 10 + ((performance.now() - begun) / 1_000) * perSecond;
    response.end(
      `process_cpu_seconds_total{service="worker"} ${seconds}\nprocess_resident_memory_bytes{service="worker"} 2.097152e+8\n`,
    );
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  // Listening on a port, its address is one.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
}

describe('rightSize', () => {
  it('measures what a process takes of its processor, and names it', async () => {
    const [found] = await rightSize([await processWith(0.9)], 0.5);
    expect(found).toMatchObject({ service: 'worker', memoryMb: 200, verdict: 'too small' });
    // Two answers take a while of their own, which counts.
    expect(Math.abs((found?.utilization ?? 0) - 0.9)).toBeLessThan(0.15);
  });

  it('names the address that does not answer, and why', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const asked = rightSize([`http://${address}/metrics`], 0);
    await expect(asked).rejects.toThrow(`http://${address}/metrics does not answer: connect ECONNREFUSED ${address}`);
  });

  it.each([
    [0.1, 'too large'],
    [0.5, 'fits'],
    [0.8, 'too small'],
  ])('calls %d of a processor %s', (utilization, verdict) => {
    expect(verdictOf(utilization)).toBe(verdict);
  });
});
