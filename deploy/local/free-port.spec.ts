import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { freePorts, isPortFree } from './free-port.ts';

const setting = '/proc/sys/net/ipv4/ip_local_port_range';

it('ports are free, all different, and none that the system would give to a connection that goes out', async () => {
  const ports = await freePorts(40);
  expect(new Set(ports).size).toBe(40);
  for (const port of ports) expect(await isPortFree(port)).toBe(true);
  if (!existsSync(setting)) return;
  const [first = 0, last = 0] = readFileSync(setting, 'utf8').split(/\s+/).map(Number);
  // A machine may give nearly all to connections; then there is no choice.
  const isChoice = first > 20_000;
  expect(ports.filter((port) => isChoice && port >= first && port <= last)).toEqual([]);
});
