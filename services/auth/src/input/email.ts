import { domainToASCII } from 'node:url';

const emailMax = 254;
const localPart = /^[^\s@\p{Cc}]{1,64}$/u;
const domain = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/**
 * An email address as it is kept and compared, in lower case and with its domain in ASCII; undefined for what is none. In
 * theory the part before the @ tells cases apart; no mail system does, and two users who differ by case are a trap.
 */
export function normalizeEmail(text: string): string | undefined {
  if (text.length > emailMax * 2) return undefined;
  const trimmed = text.trim().normalize('NFC');
  const at = trimmed.lastIndexOf('@');
  if (at < 1) return undefined;
  const local = trimmed.slice(0, at).toLowerCase();
  const host = domainToASCII(trimmed.slice(at + 1)).toLowerCase();
  const email = `${local}@${host}`;
  return localPart.test(local) && domain.test(host) && email.length <= emailMax ? email : undefined;
}
