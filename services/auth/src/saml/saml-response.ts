import { SAML } from '@node-saml/node-saml';
import { readAssertion, checkIssuer, type Assertion } from './assertion.js';
import { shapeOf, type ResponseShape } from './response-shape.js';
import { SamlFault } from './saml-fault.js';
import type { SamlPeer, SamlServiceProvider } from './saml.types.js';
import { childrenNamed, hasProcessingInstruction, namespaces, onlyChild, parseXml } from './xml.js';

const encodedBytesMax = 256 * 1_024;
const success = 'urn:oasis:names:tc:SAML:2.0:status:Success';

export interface ResponseExpectation {
  readonly peer: SamlPeer;
  readonly self: SamlServiceProvider;
  /** The id of our request. */
  readonly inResponseTo: string;
  readonly nowMs: number;
}

/** A response whose form is good; nothing in it is proven yet. */
export interface ParsedResponse {
  readonly encoded: string;
  readonly shape: ResponseShape;
  /** The request that it says it answers. */
  readonly inResponseTo: string;
}

/** @param encoded the form's field, base64 */
export function parseResponse(encoded: string): ParsedResponse {
  const text = decode(encoded);
  const document = parseXml(text);
  if (hasProcessingInstruction(document)) throw new SamlFault('shape', 'it has a processing instruction');
  refuseFailure(document.documentElement);
  const shape = shapeOf(document);
  const inResponseTo = shape.response.getAttribute('InResponseTo');
  if (!inResponseTo) throw new SamlFault('in_response_to', 'nobody asked for this response');
  return { encoded: Buffer.from(text, 'utf8').toString('base64'), shape, inResponseTo };
}

/**
 * What the response proves. The signature is checked by node-saml over the form that `parseResponse` took, and only what
 * was signed is read; node-saml takes a wrong Issuer, Recipient and Destination, so those and all else are checked here.
 * @throws SamlFault
 */
export async function verifyResponse(parsed: ParsedResponse, expected: ResponseExpectation): Promise<Assertion> {
  const { peer, self, inResponseTo, nowMs } = expected;
  const { response, assertionId } = parsed.shape;
  if (parsed.inResponseTo !== inResponseTo) throw new SamlFault('in_response_to', 'it answers another request');
  if (response.getAttribute('Version') !== '2.0') throw new SamlFault('shape', 'it is not of SAML 2.0');
  if (response.getAttribute('Destination') !== self.consumerUrl) {
    throw new SamlFault('destination', `it was sent to ${String(response.getAttribute('Destination'))}`);
  }
  for (const issuer of childrenNamed(response, namespaces.assertion, 'Issuer')) checkIssuer(issuer, peer.entityId);
  const signed = parseXml(await signedAssertion(parsed, peer, self)).documentElement;
  if (signed.namespaceURI !== namespaces.assertion || signed.localName !== 'Assertion') {
    throw new SamlFault('signature', 'what is signed is no assertion');
  }
  if (signed.getAttribute('ID') !== assertionId) throw new SamlFault('signature', 'another assertion is signed');
  return readAssertion(signed, {
    issuer: peer.entityId,
    audience: self.entityId,
    recipient: self.consumerUrl,
    inResponseTo,
    nowMs,
    clockSkewMs: peer.clockSkewSeconds * 1_000,
  });
}

/** The assertion as the signature proves it, canonical and without comments. */
async function signedAssertion({ encoded, shape }: ParsedResponse, peer: SamlPeer, self: SamlServiceProvider) {
  const verifier = new SAML({
    issuer: self.entityId,
    callbackUrl: self.consumerUrl,
    idpCert: [...peer.certificates],
    // Whatever has a signature must have a good one.
    wantAuthnResponseSigned: shape.isResponseSigned,
    wantAssertionsSigned: shape.isAssertionSigned,
    // Ours are stricter and of our clock; they are checked on what this returns.
    audience: false,
    acceptedClockSkewMs: -1,
  });
  const { profile } = await verifier.validatePostResponseAsync({ SAMLResponse: encoded }).catch((cause: unknown) => {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new SamlFault('signature', `the signature proves nothing: ${said}`, { cause });
  });
  const xml = profile?.getAssertionXml?.();
  if (!xml) throw new SamlFault('signature', 'nothing is signed');
  return xml;
}

function decode(encoded: string): string {
  if (encoded.length > encodedBytesMax) throw new SamlFault('malformed', 'it is too long');
  const compact = encoded.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(compact)) throw new SamlFault('malformed', 'it is not base64');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(compact, 'base64'));
  } catch (cause) {
    throw new SamlFault('malformed', 'it is not UTF-8', { cause });
  }
}

/** A refusal by the identity provider need not be signed, and is worth nothing but a line in the log. */
function refuseFailure(response: Parameters<typeof onlyChild>[0]): void {
  if (response.namespaceURI !== namespaces.protocol || response.localName !== 'Response') {
    throw new SamlFault('shape', 'the document is no SAML response');
  }
  const code = onlyChild(onlyChild(response, namespaces.protocol, 'Status'), namespaces.protocol, 'StatusCode');
  const inner = childrenNamed(code, namespaces.protocol, 'StatusCode').map((one) => one.getAttribute('Value'));
  const value = code.getAttribute('Value');
  if (value !== success) throw new SamlFault('status', `the identity provider says ${[value, ...inner].join(', ')}`);
}
