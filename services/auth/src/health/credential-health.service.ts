import { X509Certificate } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { HealthReport } from '#libs/contracts';
import { Examination, thresholds, type Fault } from '#libs/doctor';
import { CredentialHealthRepository, type KnownCertificate } from './credential-health.repository.js';

const dayMs = 86_400_000;

/** What ends by itself on a day that is known: certificates of single sign-on, and API keys that are in use. */
@Injectable()
export class CredentialHealth {
  constructor(private readonly repository: CredentialHealthRepository) {}

  async examine(): Promise<HealthReport> {
    const examination = new Examination('Credentials');
    await examination.check('auth.certificates', async () => {
      const ofOwners = Map.groupBy(await this.repository.certificates(), ({ owner }) => owner);
      // An old one beside the next one may end.
      return [...ofOwners].flatMap(([owner, known]) => certificateFault(owner, Math.max(...known.map(daysLeft))));
    });
    await examination.check('auth.api-keys', async () => {
      const keys = await this.repository.keysThatExpire(thresholds.certificateDaysWarning);
      return keys.map(({ id, days }) => ({
        severity: days < thresholds.certificateDaysCritical ? 'WARNING' : 'NOTICE',
        what: `The API key ${id}, which is in use, expires in ${days} days.`,
        why: 'From then on what uses it is refused.',
        mend: `mutation { rotateApiKey(input: { id: "${id}", overlapSeconds: 86400 }) { secret } }`,
      }));
    });
    return examination.report;
  }
}

function daysLeft({ pem }: KnownCertificate): number {
  return Math.floor((new X509Certificate(pem).validToDate.getTime() - Date.now()) / dayMs);
}

function certificateFault(owner: string, days: number): Fault[] {
  if (days >= thresholds.certificateDaysWarning) return [];
  return [
    {
      severity: days < thresholds.certificateDaysCritical ? 'CRITICAL' : 'WARNING',
      what: `The certificate of ${owner} ${days < 0 ? 'has expired' : `expires in ${days} days`}.`,
      why: 'Nobody signs in through it from then on.',
      mend: 'mutation { updateIdentityProvider(input: { id, version, options: { certificates: [old, new] } }) { errors { message } } }',
    },
  ];
}
