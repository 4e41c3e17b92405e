import { Global, Inject, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { BusClient } from '#libs/bus';
import type { ServiceName } from '#libs/contracts';
import { SystemClock } from '#libs/kernel';
import { AppLogger, HealthRegistry, MetricsRegistry } from '#libs/telemetry';
import { BusAccessAuthority } from './access-authority.client.js';
import { AccessCheck } from './access-check.js';
import { AccessView } from './access-view.js';
import { BusIdentityAuthority, type IdentityAuthority } from './identity-authority.client.js';
import { RevocationView } from './revocation-view.js';
import { SigningKeySet } from './signing-key-set.js';
import { TokenVerifier } from './token-verifier.js';

/** The token under which an IdentityAuthority is provided. */
export const IDENTITY_AUTHORITY = Symbol('identity authority');

/** Gives TokenVerifier and AccessView to every module of a service, and AccessGuard with them. Needs what libs/service provides. */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [
    {
      provide: IDENTITY_AUTHORITY,
      inject: [BusClient, MetricsRegistry],
      // A service's registry is named after the service.
      useFactory: (bus: BusClient, { service }: MetricsRegistry) =>
        new BusIdentityAuthority(bus, service as ServiceName | 'gateway'),
    },
    {
      provide: RevocationView,
      inject: [IDENTITY_AUTHORITY, AppLogger],
      useFactory: (authority: IdentityAuthority, logger: AppLogger) =>
        new RevocationView(authority, new SystemClock(), logger),
    },
    {
      provide: TokenVerifier,
      inject: [IDENTITY_AUTHORITY, RevocationView],
      useFactory: (authority: IdentityAuthority, revocations: RevocationView) => {
        const clock = new SystemClock();
        return new TokenVerifier(new SigningKeySet(authority, clock), revocations, clock);
      },
    },
    {
      provide: AccessView,
      inject: [BusClient, MetricsRegistry],
      useFactory: (bus: BusClient, { service }: MetricsRegistry) =>
        new AccessView(new BusAccessAuthority(bus, service as ServiceName | 'gateway')),
    },
    AccessCheck,
  ],
  exports: [AccessView, RevocationView, TokenVerifier],
})
export class IdentityModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(RevocationView) private readonly revocations: RevocationView,
    @Inject(HealthRegistry) private readonly health: HealthRegistry,
    @Inject(MetricsRegistry) private readonly metrics: MetricsRegistry,
  ) {}

  onModuleInit(): void {
    this.revocations.start();
    this.health.register('identity', () => this.revocations.ensureFresh());
    this.metrics.gauge(
      { name: 'identity_revocations_age_seconds', help: 'How old the known revocations are.' },
      (gauge) => gauge.set(this.revocations.ageMs / 1_000),
    );
  }

  onApplicationShutdown(): void {
    this.revocations.stop();
  }
}
