import { X509Certificate } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { HealthReport } from '#libs/contracts';
import { Examination, thresholds, type Fault } from '#libs/doctor';
import { CredentialHealthRepository, type KnownCertificates } from './credential-health.repository.js';

const dayMs = 86_400_000;

/** What ends by itself on a day that is known: certificates of single sign-on, and API keys that are in use. */
@Injectable()
export class CredentialHealth {
  constructor(private readonly repository: CredentialHealthRepository) {}

  async examine(): Promise<HealthReport> {
    const examination = new Examination('Credentials');
    await examination.check('auth.certificates', async () => {
      const faults: Fault[] = [];
      for await (const known of this.repository.certificates()) faults.push(...faultsOf(known));
      return faults;
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

interface Owner {
  readonly name: string;
  /** It names the provider: what is mended alike is told once. */
  readonly mend: string;
}

function faultsOf({ providerId, own, ours }: KnownCertificates): Fault[] {
  const provider: Owner = {
    name: `the identity provider ${providerId}`,
    mend: `mutation { updateIdentityProvider(input: { id: "${providerId}", version, options: { certificates: [old, new] } }) { errors { message } } }`,
  };
  const ourselves: Owner = {
    name: `ours for the identity provider ${providerId}`,
    // Never by deleting the provider: with it goes which user is whom there.
    mend: `In PostgreSQL: delete from auth.saml_key where provider_id = '${providerId}'; then give the identity provider the metadata anew, which has the next key. Between the two nobody signs in through it where requests have to be signed; users stay who they are.`,
  };
  return [...certificateFaults(provider, own), ...certificateFaults(ourselves, ours === null ? [] : [ours])];
}

/** One at most: an expiring one says more than one that cannot be read, and is mended alike. */
function certificateFaults({ name, mend }: Owner, certificates: readonly string[]): Fault[] {
  const known = certificates.map(daysLeft).filter((days) => days !== undefined);
  // An old one beside the next one may end.
  const days = Math.max(...known);
  if (known.length > 0 && days < thresholds.certificateDaysWarning) {
    return [
      {
        severity: days < thresholds.certificateDaysCritical ? 'CRITICAL' : 'WARNING',
        what: `The certificate of ${name} ${days < 0 ? 'has expired' : `expires in ${days} days`}.`,
        why: 'Nobody signs in through it from then on.',
        mend,
      },
    ];
  }
  if (known.length === certificates.length) return [];
  const why = 'Nothing that it has signed is taken, and nobody knows when it ends.';
  return [{ severity: 'WARNING', what: `A certificate of ${name} cannot be read.`, why, mend }];
}

function daysLeft(pem: string): number | undefined {
  try {
    return Math.floor((new X509Certificate(pem).validToDate.getTime() - Date.now()) / dayMs);
  } catch {
    return undefined;
  }
}
