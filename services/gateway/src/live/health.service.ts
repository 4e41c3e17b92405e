import { Injectable } from '@nestjs/common';
import { BusClient, serviceContext } from '#libs/bus';
import type { HealthReport } from '#libs/contracts';
import { askServices, checkPools, examineRoles, joinReports } from '#libs/doctor';
import { RedisConnections } from '#libs/redis';

const keptMs = 5_000;

export interface Health extends HealthReport {
  readonly checkedAt: Date;
}

/**
 * The health of the installation: Redis as this gateway reaches it, and of the rest what the services say that are connected
 * to it. However many ask, it is looked at once at a time.
 */
@Injectable()
export class HealthService {
  private latest: Promise<Health> | undefined;

  constructor(
    private readonly redis: RedisConnections,
    private readonly bus: BusClient,
  ) {}

  examine(): Promise<Health> {
    if (!this.latest) {
      this.latest = this.examineNow();
      const forget = (): void => void (this.latest = undefined);
      this.latest.then(() => setTimeout(forget, keptMs).unref(), forget);
    }
    return this.latest;
  }

  private async examineNow(): Promise<Health> {
    const reports = await Promise.all([
      examineRoles(this.redis),
      askServices(this.bus, serviceContext('gateway', ''), { withDatabase: true }),
    ]);
    return { ...checkPools(joinReports(reports)), checkedAt: new Date() };
  }
}
