import { Injectable } from '@nestjs/common';
import { MetricsRegistry } from '#libs/telemetry';
import { KeyAgeRepository } from './key-age.repository.js';

/** What an operator has to renew before it ends. Every instance tells the same. */
@Injectable()
export class KeyAgeMetrics {
  constructor(metrics: MetricsRegistry, repository: KeyAgeRepository) {
    metrics.gauge(
      { name: 'oldest_data_key_timestamp_seconds', help: 'When the oldest data key of a workspace was made.' },
      async (gauge) => tell(gauge, await repository.oldestDataKey()),
    );
    metrics.gauge(
      {
        name: 'provider_certificate_expiry_timestamp_seconds',
        help: 'When the first enabled SAML provider has no certificate left that is good.',
      },
      async (gauge) => tell(gauge, await repository.firstProviderWithoutCertificate()),
    );
    metrics.gauge(
      { name: 'api_keys_ending', help: 'API keys that were used in the last seven days and end in the next seven.' },
      async (gauge) => gauge.set(await repository.countKeysThatEndSoon()),
    );
  }
}

function tell(gauge: { set(value: number): void; remove(): void }, at: Date | undefined): void {
  if (at) gauge.set(at.getTime() / 1_000);
  else gauge.remove();
}
