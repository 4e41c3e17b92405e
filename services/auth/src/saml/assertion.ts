import { SamlFault } from './saml-fault.js';
import { childElements, childrenNamed, namespaces, onlyChild, pureText } from './xml.js';

/** What an assertion has to fit to be ours, now. */
export interface AssertionExpectation {
  readonly issuer: string;
  /** Our entity id. */
  readonly audience: string;
  /** The address that it was sent to. */
  readonly recipient: string;
  /** The id of our request. */
  readonly inResponseTo: string;
  readonly nowMs: number;
  readonly clockSkewMs: number;
}

/** What a verified assertion says of somebody. */
export interface Assertion {
  readonly id: string;
  /** From then on nobody takes it any more. */
  readonly endsAtMs: number;
  readonly nameId: string;
  readonly nameIdFormat: string | undefined;
  readonly attributes: ReadonlyMap<string, readonly string[]>;
}

const knownConditions: ReadonlySet<string> = new Set(['AudienceRestriction', 'OneTimeUse', 'ProxyRestriction']);
const bearer = 'urn:oasis:names:tc:SAML:2.0:cm:bearer';

/**
 * Reads an assertion whose signature is known to be good, and takes it only where it is of this issuer, for us, as the
 * answer to this request, and good now.
 * @throws SamlFault
 */
export function readAssertion(assertion: Element, expected: AssertionExpectation): Assertion {
  if (assertion.getAttribute('Version') !== '2.0') throw new SamlFault('shape', 'the assertion is not of SAML 2.0');
  checkIssuer(only(assertion, 'Issuer'), expected.issuer);
  checkConditions(only(assertion, 'Conditions'), expected);
  checkAuthentication(assertion, expected);
  const subject = only(assertion, 'Subject');
  const nameId = only(subject, 'NameID');
  const value = pureText(nameId);
  if (value === '') throw new SamlFault('subject', 'the assertion names nobody');
  return {
    id: assertion.getAttribute('ID') ?? '',
    endsAtMs: endOfConfirmation(subject, expected),
    nameId: value,
    nameIdFormat: nameId.getAttribute('Format') || undefined,
    attributes: attributesOf(assertion),
  };
}

export function checkIssuer(issuer: Element, expected: string): void {
  const said = pureText(issuer);
  if (said !== expected) throw new SamlFault('issuer', `the issuer is ${said}`);
}

function checkConditions(conditions: Element, expected: AssertionExpectation): void {
  checkTimes(conditions, expected);
  const unknown = childElements(conditions).find(({ localName }) => !knownConditions.has(localName));
  if (unknown) throw new SamlFault('shape', `the condition ${unknown.localName} is not known`);
  const restrictions = all(conditions, 'AudienceRestriction');
  const isForUs = restrictions.every((restriction) =>
    all(restriction, 'Audience').some((audience) => pureText(audience) === expected.audience),
  );
  if (restrictions.length === 0 || !isForUs) throw new SamlFault('audience', 'the assertion is not for us');
}

function checkAuthentication(assertion: Element, { nowMs, clockSkewMs }: AssertionExpectation): void {
  const statements = all(assertion, 'AuthnStatement');
  if (statements.length === 0) throw new SamlFault('shape', 'the assertion tells of no authentication');
  for (const statement of statements) {
    const endsAtMs = timeOf(statement, 'SessionNotOnOrAfter');
    if (endsAtMs !== undefined && nowMs - clockSkewMs >= endsAtMs) {
      throw new SamlFault('expired', 'the session at the identity provider is over');
    }
  }
}

/** When the confirmation ends by which the bearer is the subject: one must fit in all, so the first reason is told. */
function endOfConfirmation(subject: Element, expected: AssertionExpectation): number {
  const confirmations = all(subject, 'SubjectConfirmation').filter((one) => one.getAttribute('Method') === bearer);
  let first: SamlFault | undefined;
  for (const confirmation of confirmations) {
    try {
      return checkConfirmation(only(confirmation, 'SubjectConfirmationData'), expected);
    } catch (fault) {
      if (!(fault instanceof SamlFault)) throw fault;
      first ??= fault;
    }
  }
  throw first ?? new SamlFault('subject', 'nothing confirms that the bearer is the subject');
}

function checkConfirmation(data: Element, expected: AssertionExpectation): number {
  const recipient = data.getAttribute('Recipient');
  if (recipient !== expected.recipient) throw new SamlFault('recipient', `the recipient is ${String(recipient)}`);
  const inResponseTo = data.getAttribute('InResponseTo');
  if (inResponseTo !== expected.inResponseTo) {
    throw new SamlFault('in_response_to', `the subject is confirmed for the request ${String(inResponseTo)}`);
  }
  checkTimes(data, expected);
  const endsAtMs = timeOf(data, 'NotOnOrAfter');
  if (endsAtMs === undefined) throw new SamlFault('expired', 'the confirmation of the subject has no end');
  return endsAtMs + expected.clockSkewMs;
}

function checkTimes(element: Element, { nowMs, clockSkewMs }: AssertionExpectation): void {
  const [beginsAtMs, endsAtMs] = ['NotBefore', 'NotOnOrAfter'].map((name) => timeOf(element, name));
  if (beginsAtMs !== undefined && nowMs + clockSkewMs < beginsAtMs) {
    throw new SamlFault('not_yet_valid', `${element.localName} begins later`);
  }
  if (endsAtMs !== undefined && nowMs - clockSkewMs >= endsAtMs) {
    throw new SamlFault('expired', `${element.localName} is over`);
  }
}

function timeOf(element: Element, name: string): number | undefined {
  if (!element.hasAttribute(name)) return undefined;
  const text = element.getAttribute(name) ?? '';
  // A time without a zone would be of whatever zone this machine is in.
  const timeMs = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(timeMs)) throw new SamlFault('shape', `${name} is no time`);
  return timeMs;
}

function attributesOf(assertion: Element): Map<string, string[]> {
  const attributes = new Map<string, string[]>();
  for (const statement of all(assertion, 'AttributeStatement')) {
    for (const attribute of all(statement, 'Attribute')) {
      const name = attribute.getAttribute('Name') ?? '';
      const values = all(attribute, 'AttributeValue').filter((value) => childElements(value).length === 0);
      attributes.set(name, [...(attributes.get(name) ?? []), ...values.map(pureText)]);
    }
  }
  return attributes;
}

function all(parent: Element, name: string): Element[] {
  return childrenNamed(parent, namespaces.assertion, name);
}

function only(parent: Element, name: string): Element {
  return onlyChild(parent, namespaces.assertion, name);
}
