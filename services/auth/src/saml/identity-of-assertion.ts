import type { ExternalIdentity } from '../federation/external-identity.js';
import type { Assertion } from './assertion.js';
import { SamlFault } from './saml-fault.js';
import type { SamlOptions } from './saml.options.js';

/** As the usual identity providers call them, in the order in which they are tried. */
const usual = {
  email: [
    'email',
    'mail',
    'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress',
    'urn:oid:0.9.2342.19200300.100.1.3',
  ],
  name: [
    'name',
    'displayName',
    'http://schemas.microsoft.com/identity/claims/displayname',
    'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name',
    'urn:oid:2.16.840.1.113730.3.1.241',
    'cn',
  ],
} as const;
const transient = 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient';

type Mapping = Pick<SamlOptions, 'emailAttribute' | 'nameAttribute' | 'subjectAttribute'>;

/** Who an assertion is about. @throws SamlFault where nothing in it says so for longer than this session */
export function identityOf(assertion: Assertion, mapping: Mapping): ExternalIdentity {
  const { attributes, nameId } = assertion;
  const first = (names: readonly string[]): string | undefined =>
    names.flatMap((name) => attributes.get(name) ?? []).find((value) => value !== '');
  const emailNames = mapping.emailAttribute === undefined ? usual.email : [mapping.emailAttribute];
  const isNameIdAddress = mapping.emailAttribute === undefined && nameId.includes('@');
  return {
    subject: subjectOf(assertion, mapping),
    email: first(emailNames) ?? (isNameIdAddress ? nameId : undefined),
    // Providers of SAML say nothing of it: they know no other addresses than their own.
    emailVerified: true,
    name: first(mapping.nameAttribute === undefined ? usual.name : [mapping.nameAttribute]),
    claims: { ...Object.fromEntries([...attributes].map(([name, values]) => [name, [...values]])), nameId },
  };
}

function subjectOf({ attributes, nameId, nameIdFormat }: Assertion, { subjectAttribute }: Mapping): string {
  if (subjectAttribute === undefined) {
    if (nameIdFormat !== transient) return nameId;
    throw new SamlFault('subject', 'the NameID is another one at each sign-in, and no subjectAttribute is set');
  }
  const [subject, another] = attributes.get(subjectAttribute) ?? [];
  if (!subject || another) throw new SamlFault('subject', `${subjectAttribute} has not exactly one value`);
  return subject;
}
