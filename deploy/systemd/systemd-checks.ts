import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { runTool, type DeployCheck } from '../tools/deploy-check.ts';

/** The most that systemd may find exposed in a service; 10 is a service without any protection. */
const exposureMax = 2.5;

export const systemdChecks: readonly DeployCheck[] = [
  {
    name: 'systemd accepts the units, and finds little of the machine exposed to them',
    tools: ['systemd-analyze'],
    run: () =>
      inFolder(async (folder) => {
        const units = ['gateway', 'auth', 'worker'].map((service) => join(folder, `sluice@${service}.service`));
        const backups = ['sluice-backup.service', 'sluice-backup-keys.service', 'sluice-backup.timer'];
        for (const unit of [...units, ...backups.map((name) => join(folder, name))])
          await runTool('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', unit]);
        const report = await runTool('systemd-analyze', [
          'security',
          '--offline=yes',
          '--no-pager',
          join(folder, 'sluice@.service'),
        ]);
        const exposure = Number(/Overall exposure level[^:]*: ([\d.]+)/.exec(report)?.[1] ?? Infinity);
        if (exposure > exposureMax) throw new Error(`the exposure is ${exposure}, above ${exposureMax}\n${report}`);
        return `exposure ${exposure}`;
      }),
  },
  {
    name: 'nftables accepts the firewall',
    // It asks the kernel, which answers root alone.
    tools: [process.getuid?.() === 0 ? 'nft' : 'nft as root'],
    run: async () => {
      await runTool('nft', ['--check', '--file', resolve('deploy/systemd/nftables.conf')]);
      return '';
    },
  },
];

/** As systemd would find them: an instance is its template, and the program of the unit has to be there. */
async function inFolder(work: (folder: string) => Promise<string>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-units-'));
  try {
    cpSync('deploy/systemd', folder, { recursive: true });
    const template = readFileSync(join(folder, 'sluice@.service'), 'utf8').replaceAll(
      '/usr/bin/node',
      process.execPath,
    );
    for (const name of ['', 'gateway', 'auth', 'worker'])
      writeFileSync(join(folder, `sluice@${name}.service`), template);
    for (const name of readdirSync('deploy/backup').filter((each) => /\.(service|timer)$/.test(each))) {
      const unit = readFileSync(join('deploy/backup', name), 'utf8');
      writeFileSync(join(folder, name), unit.replaceAll('/opt/sluice/deploy', resolve('deploy')));
    }
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
