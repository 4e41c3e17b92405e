import { Injectable } from '@nestjs/common';
import { MetricsRegistry } from '#libs/telemetry';

@Injectable()
export class SessionMetrics {
  readonly signIns;
  readonly refreshes;

  constructor(metrics: MetricsRegistry) {
    this.signIns = metrics.counter({
      name: 'sign_ins_total',
      help: 'Sign-ins by password, by outcome: ok, wrong or throttled.',
      labels: ['outcome'],
    });
    this.refreshes = metrics.counter({
      name: 'session_refreshes_total',
      help: 'Refreshes of sessions, by outcome: ok, repeated, refused or reused; reused may be a stolen token.',
      labels: ['outcome'],
    });
  }
}
