import { runTool, type DeployCheck } from '../tools/deploy-check.ts';

const folder = 'deploy/telemetry';

export const telemetryChecks: readonly DeployCheck[] = [
  {
    name: 'Alertmanager accepts alertmanager.yml',
    tools: ['amtool'],
    run: async () => {
      await runTool('amtool', ['check-config', `${folder}/alertmanager.yml`]);
      return '';
    },
  },
  {
    name: 'blackbox_exporter accepts blackbox.yml',
    // As Debian calls it.
    tools: ['prometheus-blackbox-exporter'],
    run: async () => {
      await runTool('prometheus-blackbox-exporter', ['--config.check', `--config.file=${folder}/blackbox.yml`]);
      return '';
    },
  },
];
