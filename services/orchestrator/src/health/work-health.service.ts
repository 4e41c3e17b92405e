import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { HealthReport } from '#libs/contracts';
import { Examination, type Fault } from '#libs/doctor';
import { defaultPool } from '../dispatch/pool.js';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { WorkHealthRepository } from './work-health.repository.js';

const waitSecondsMax = 60;
const stuckSeconds = 120;
const failing = { share: 0.5, endedMin: 5, minutes: 15 } as const;

/** Workers, what waits for them, and the sources that they ask. */
@Injectable()
export class WorkHealth {
  constructor(
    private readonly repository: WorkHealthRepository,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  async examine(): Promise<HealthReport> {
    const work = new Examination('Workers');
    await work.check('work.workers', async () => this.workerFaults(work));
    await work.check('work.stuck', async () => this.stuckFaults());
    const sources = new Examination('Data sources');
    await sources.check('source.paused', async () => this.pausedFaults());
    await sources.check('source.failing', async () => this.failingFaults());
    return {
      findings: [...work.report.findings, ...sources.report.findings],
      notChecked: [...work.report.notChecked, ...sources.report.notChecked],
      measurements: work.report.measurements,
    };
  }

  private async workerFaults(work: Examination): Promise<Fault[]> {
    const { workerLiveSeconds } = this.config.lease;
    const { live, draining, slots, active, silent } = await this.repository.workers(defaultPool, workerLiveSeconds);
    const { queued, oldestSeconds } = await this.repository.waiting(defaultPool);
    work.measured('workers', live);
    work.measured('slots', slots);
    work.measured('runs that hold a slot', active);
    work.measured('runs that wait', queued);
    work.measured('oldest wait', oldestSeconds, 's');
    const waits = `${queued} runs wait, the oldest for ${Math.round(oldestSeconds)} s.`;
    const mend = 'kubectl scale deployment/sluice-worker-default --replicas=<more>; or: systemctl start sluice@worker';
    if (live === 0) {
      const what = `No worker was heard of in ${workerLiveSeconds} s. ${waits}`;
      return [{ severity: 'CRITICAL', what, why: 'Only kept results are answered.', mend }];
    }
    if (draining === live) {
      const what = `All ${live} workers are draining. ${waits}`;
      const undrain = 'mutation { undrainWorker(id: "<worker>") { errors { message } } }';
      return [{ severity: 'CRITICAL', what, why: 'Nobody takes new runs.', mend: undrain }];
    }
    const faults: Fault[] = [];
    if (active >= slots && oldestSeconds > waitSecondsMax) {
      const what = `All ${slots} slots are taken. ${waits}`;
      faults.push({ severity: 'WARNING', what, why: 'Who asks waits for others, not for the source.', mend });
    }
    if (silent > 0) {
      const what = `${silent} workers were heard of in the last ten minutes and are silent now.`;
      const why = 'They have died, or do not reach the bus; what they ran begins anew elsewhere.';
      faults.push({ severity: 'NOTICE', what, why, mend: 'journalctl -u sluice@worker; or: kubectl get pods' });
    }
    return faults;
  }

  private async stuckFaults(): Promise<Fault[]> {
    const stuck = await this.repository.stuck(defaultPool, stuckSeconds);
    return stuck.map(({ state, count }) => ({
      severity: 'WARNING',
      what: `${count} runs have been ${state} for too long.`,
      why: 'The reaper should have ended or repeated them: it does not run, or a source does not let itself be cancelled.',
      mend: 'journalctl -u sluice@orchestrator | grep reaper; then restart the orchestrator',
    }));
  }

  private async pausedFaults(): Promise<Fault[]> {
    const paused = await this.repository.pausedWithBacklog(defaultPool);
    return paused.map(({ sourceId, queued }) => ({
      severity: 'WARNING',
      what: `${sourceId} is paused, and ${queued} runs wait for it.`,
      why: 'They end as TIMED_OUT when their time in the queue is up.',
      mend: `mutation { updateDataSource(input: { id: "${sourceId}", version: <version>, paused: false }) { errors { message } } }`,
    }));
  }

  private async failingFaults(): Promise<Fault[]> {
    const { share, endedMin, minutes } = failing;
    const sources = await this.repository.failingSources(share, endedMin, minutes);
    return sources.map(({ sourceId, ended, failed, code }) => ({
      severity: 'WARNING',
      what: `${failed} of the last ${ended} runs did not reach ${sourceId}, most with ${code}.`,
      why: 'Who asks it gets an error, and what is kept of it grows old.',
      mend: `mutation { testDataSource(id: "${sourceId}") { ok errors { message } } }`,
    }));
  }
}
