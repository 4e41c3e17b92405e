import { setTimeout as wait } from 'node:timers/promises';
import { BareProcesses } from './bare-processes.ts';
import type { BenchResult, Effort, Say } from './bench.ts';
import { startInstallation } from './installation.ts';
import type { Measure, Round } from './measure.ts';
import { familyOf, proportionalMb, residentMb, sumOf } from './process-memory.ts';
import { median } from './statistics.ts';

const settleSeconds = 15;

/** How long `npm start` takes where all is installed, and what the mesh holds in memory when nobody asks anything. */
export async function benchStart({ rounds, scale }: Effort, say: Say): Promise<BenchResult> {
  const start: Round[] = [];
  const resident: Round[] = [];
  const proportional: Round[] = [];
  // Installs, builds and loads what is missing, so that no round does.
  await (await startInstallation()).stop();
  for (let round = 0; round < rounds; round++) {
    const bare = await BareProcesses.start();
    const bareMemory = await idleMemory(() => bare.pids, 1);
    await bare.stop();
    const mesh = await startInstallation();
    const memory = await idleMemory(() => familyOf(mesh.launcherPid), settleSeconds * scale);
    const parts = mesh.processNames.map(
      (name) => `${name} ${sumOf(familyOf(mesh.pidOf(name)), residentMb).toFixed(0)}`,
    );
    const launcher = residentMb(mesh.launcherPid);
    await mesh.stop();
    start.push({ ours: mesh.readySeconds, control: bare.readySeconds });
    resident.push({ ours: memory.resident, control: bareMemory.resident });
    proportional.push({ ours: memory.proportional, control: bareMemory.proportional });
    say(`  round ${round + 1}: ready in ${mesh.readySeconds.toFixed(1)} s, ${memory.resident.toFixed(0)} MB resident`);
    say(`    of which ${parts.join(', ')}, launcher ${launcher.toFixed(0)}`);
  }
  return { name: 'Start and memory', method, measures: measuresOf(start, resident, proportional) };
}

const control = 'six bare Node processes with the same packages';

function measuresOf(start: Round[], resident: Round[], proportional: Round[]): Measure[] {
  return [
    { name: '`npm start` until ready', unit: 's', control, rounds: start, target: { of: 'ours', atMost: 15 } },
    { name: 'idle, resident (RSS)', unit: 'MB', control, rounds: resident, target: { of: 'ours', atMost: 900 } },
    { name: 'idle, proportional (PSS)', unit: 'MB', control, rounds: proportional },
  ];
}

const method = `\`npm start -- --detach\` with everything installed and loaded, from the command to its return. Memory is the sum over
the launcher and every process below it (six services, PostgreSQL with all its backends, two Redis servers), the median of
${settleSeconds} seconds in which nobody asks anything. RSS counts a page that processes share once for each of them, PSS divides it.`;

async function idleMemory(pids: () => number[], seconds: number): Promise<{ resident: number; proportional: number }> {
  const resident: number[] = [];
  const proportional: number[] = [];
  for (let second = 0; second < Math.max(seconds, 1); second++) {
    await wait(1_000);
    const family = pids();
    resident.push(sumOf(family, residentMb));
    proportional.push(sumOf(family, proportionalMb));
  }
  return { resident: median(resident), proportional: median(proportional) };
}
