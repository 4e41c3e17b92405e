import { beforeAll, describe, expect, it } from 'vitest';
import {
  algorithms,
  assertionXml,
  encode,
  responseXml,
  sign,
  takeApart,
  type ResponseParts,
} from '../../test/saml-forge.js';
import type { Assertion } from './assertion.js';
import { newSamlKey } from './new-saml-key.js';
import { SamlFault } from './saml-fault.js';
import { parseResponse, verifyResponse } from './saml-response.js';
import type { SamlKey } from './saml.types.js';

const self = {
  entityId: 'https://sluice.example.com/v1/sso/idp_1/metadata',
  consumerUrl: 'https://sluice.example.com/v1/sso/idp_1/acs',
};
const minute = 60_000;
const now = Date.now();
const evil = 'admin@victim.example.com';

let key: SamlKey;
let another: SamlKey;
beforeAll(async () => {
  [key, another] = await Promise.all([newSamlKey('idp'), newSamlKey('someone else')]);
});

const parts: ResponseParts = {
  issuer: 'https://idp.example.com',
  audience: self.entityId,
  recipient: self.consumerUrl,
  destination: self.consumerUrl,
  inResponseTo: '_request1',
  nameId: 'ana@example.com',
  attributes: { mail: ['ana@example.com'], groups: ['sales', 'europe'] },
  assertionId: '_assertion1',
  responseId: '_response1',
  notBefore: new Date(now - minute),
  notOnOrAfter: new Date(now + 5 * minute),
  status: 'Success',
};

const signed = (change: Partial<ResponseParts> = {}): string => sign(responseXml({ ...parts, ...change }), key);

async function verify(xml: string, inResponseTo = '_request1', nowMs = now): Promise<Assertion> {
  const peer = {
    entityId: parts.issuer,
    signInUrl: 'https://idp.example.com/sso',
    certificates: [key.certificate],
    clockSkewSeconds: 60,
  };
  return verifyResponse(parseResponse(encode(xml)), { peer, self, inResponseTo, nowMs });
}

async function reasonOf(xml: string, inResponseTo?: string, nowMs?: number): Promise<string> {
  const thrown: unknown = await verify(xml, inResponseTo, nowMs).then(
    ({ nameId }) => `taken as ${nameId}`,
    (error: unknown) => error,
  );
  if (typeof thrown === 'string') return thrown;
  if (thrown instanceof SamlFault) return thrown.reason;
  throw thrown;
}

describe('a response of the identity provider', () => {
  it('is taken with its assertion signed, and tells the name and all attributes', async () => {
    const assertion = await verify(signed());
    expect(assertion).toMatchObject({ id: '_assertion1', nameId: 'ana@example.com' });
    expect(assertion.attributes.get('groups')).toEqual(['sales', 'europe']);
    expect(assertion.endsAtMs).toBe(parts.notOnOrAfter.getTime() + minute);
  });

  it('is taken with the whole response signed, and with both signed', async () => {
    const response = sign(responseXml(parts), key, { element: 'Response' });
    await expect(verify(response)).resolves.toMatchObject({ nameId: parts.nameId });
    const both = sign(signed(), key, { element: 'Response' });
    await expect(verify(both)).resolves.toMatchObject({ nameId: parts.nameId });
  });

  it('is taken a little early or late, as far as clocks may differ', async () => {
    await expect(verify(signed(), '_request1', now - minute * 1.9)).resolves.toBeDefined();
    await expect(verify(signed(), '_request1', now + minute * 5.9)).resolves.toBeDefined();
  });
});

describe('signatures', () => {
  it('unsigned: refused', async () => {
    expect(await reasonOf(responseXml(parts))).toBe('unsigned');
  });

  it('tampered: a changed name, attribute or signature is refused', async () => {
    expect(await reasonOf(signed().replace('>ana@', '>admin@'))).toBe('signature');
    expect(await reasonOf(signed().replace('>sales<', '>admins<'))).toBe('signature');
    expect(await reasonOf(signed().replace(/<SignatureValue>..../, '<SignatureValue>AAAA'))).toBe('signature');
  });

  it('signed by another key whose certificate comes along in KeyInfo: refused', async () => {
    expect(await reasonOf(sign(responseXml(parts), another))).toBe('signature');
  });

  it('a good signature does not excuse a bad one beside it', async () => {
    const responseByAnother = sign(signed(), another, { element: 'Response' });
    expect(await reasonOf(responseByAnother)).toBe('signature');
    const assertionByAnother = sign(sign(responseXml(parts), another), key, { element: 'Response' });
    expect(await reasonOf(assertionByAnother)).toBe('signature');
  });

  it('weak algorithms: SHA-1 in signature or digest is refused', async () => {
    const weakSignature = sign(responseXml(parts), key, { signatureAlgorithm: algorithms.rsaSha1 });
    const weakDigest = sign(responseXml(parts), key, { digestAlgorithm: algorithms.sha1 });
    expect([await reasonOf(weakSignature), await reasonOf(weakDigest)]).toEqual(['algorithm', 'algorithm']);
  });

  it('HMAC with the public certificate as the secret: refused', async () => {
    const hmac = signed().replace(algorithms.rsaSha256, 'http://www.w3.org/2000/09/xmldsig#hmac-sha1');
    expect(await reasonOf(hmac)).toBe('algorithm');
  });

  it('comment in NameID: the name is read whole, as it was signed', async () => {
    const commented = signed({ nameId: 'admin@example.com.evil.example.com' }).replace(
      'admin@example.com.evil',
      'admin@example.com<!-- -->.evil',
    );
    expect(await reasonOf(commented)).toBe('taken as admin@example.com.evil.example.com');
  });

  it('comment in DigestValue or SignatureValue: refused (CVE-2025-29775)', async () => {
    expect(await reasonOf(signed().replace('<DigestValue>', '<DigestValue><!--AAAA-->'))).toBe('shape');
    expect(await reasonOf(signed().replace('<SignatureValue>', '<SignatureValue><!--AAAA-->'))).toBe('shape');
  });

  it('several SignedInfo: refused (CVE-2025-29774)', async () => {
    const info = /<SignedInfo[\s\S]*<\/SignedInfo>/.exec(signed())?.[0] ?? '';
    const twice = signed().replace(info, info + info);
    expect(await reasonOf(twice)).toBe('shape');
  });
});

/** The shapes of Somorovsky et al., "On Breaking SAML", with an assertion of the attacker's own. */
describe('signature wrapping', () => {
  const evilAssertion = (id = '_evil'): string => assertionXml({ ...parts, nameId: evil, assertionId: id });
  const wrap = (inner: string): string => responseXml({ ...parts, responseId: '_evilresponse' }, inner);
  const signedResponse = (): string => sign(responseXml(parts), key, { element: 'Response' });

  /** An evil response whose signature signs the original one, which is carried along. */
  const aroundResponse = (place: (signature: string, original: string) => string): string => {
    const original = signedResponse();
    const signature = /<Signature[\s\S]*?<\/Signature>/.exec(original)?.[0] ?? '';
    return place(signature, original.replace(signature, ''));
  };

  const attacks: Record<string, () => string> = {
    'XSW1: the original response inside the signature of an evil one': () =>
      aroundResponse((signature, original) =>
        wrap(evilAssertion()).replace(
          '<samlp:Status>',
          `${signature.replace('</Signature>', `<Object>${original}</Object></Signature>`)}<samlp:Status>`,
        ),
      ),
    'XSW2: the original response beside its detached signature': () =>
      aroundResponse((signature, original) =>
        wrap(evilAssertion()).replace('<samlp:Status>', `${original}${signature}<samlp:Status>`),
      ),
    'XSW3: an evil assertion before the signed one': () => {
      const { assertion } = takeApart(signed());
      return wrap(evilAssertion() + assertion);
    },
    'XSW4: the signed assertion inside an evil one': () => {
      const { assertion } = takeApart(signed());
      return wrap(evilAssertion().replace('</saml:Assertion>', `${assertion}</saml:Assertion>`));
    },
    'XSW5: an evil assertion with the signature, the original at the end': () => {
      const { signature, unsignedAssertion } = takeApart(signed());
      return wrap(evilAssertion().replace('<saml:Subject>', `${signature}<saml:Subject>`) + unsignedAssertion);
    },
    'XSW6: the original inside the signature of an evil assertion': () => {
      const { signature, unsignedAssertion } = takeApart(signed());
      const carrying = signature.replace('</Signature>', `${unsignedAssertion}</Signature>`);
      return wrap(evilAssertion().replace('<saml:Subject>', `${carrying}<saml:Subject>`));
    },
    'XSW7: an evil assertion in Extensions': () =>
      signed().replace('<samlp:Status>', `<samlp:Extensions>${evilAssertion()}</samlp:Extensions><samlp:Status>`),
    'XSW8: the original inside an Object of the signature': () => {
      const { signature, unsignedAssertion } = takeApart(signed());
      const carrying = signature.replace('</Signature>', `<Object>${unsignedAssertion}</Object></Signature>`);
      return wrap(evilAssertion().replace('<saml:Subject>', `${carrying}<saml:Subject>`));
    },
    'an evil assertion after the signed one': () => {
      const { assertion } = takeApart(signed());
      return wrap(assertion + evilAssertion());
    },
    'an evil assertion of the same id': () => {
      const { assertion } = takeApart(signed());
      return wrap(evilAssertion('_assertion1') + assertion);
    },
    'an evil assertion of no namespace beside the signed one': () =>
      signed().replace(
        '</samlp:Response>',
        `<Assertion ID="_x"><Subject>${evil}</Subject></Assertion></samlp:Response>`,
      ),
    'a second signature in another place': () => {
      const { signature } = takeApart(signed());
      return signed().replace('<samlp:Status>', `<samlp:Extensions>${signature}</samlp:Extensions><samlp:Status>`);
    },
    'a reference to the whole document instead of its parent': () => signed().replace('URI="#_assertion1"', 'URI=""'),
    'the signed assertion below something else, an unsigned one in its place': () => {
      const { assertion } = takeApart(signed());
      return wrap(`<x xmlns="urn:x">${assertion}</x>${evilAssertion()}`);
    },
  };

  it.each(Object.entries(attacks))('%s: refused by its form', async (_name, attack) => {
    expect(await reasonOf(attack())).toBe('shape');
  });
});

describe('what an assertion is for', () => {
  const cases: [string, string, Partial<ResponseParts>][] = [
    ['wrong Issuer', 'issuer', { issuer: 'https://other-idp.example.com' }],
    ['wrong Recipient', 'recipient', { recipient: 'https://other-sp.example.com/acs' }],
    ['wrong Audience', 'audience', { audience: 'https://other-sp.example.com' }],
    ['wrong Destination', 'destination', { destination: 'https://other-sp.example.com/acs' }],
    ['expired', 'expired', { notOnOrAfter: new Date(now - 2 * minute) }],
    ['not yet valid', 'not_yet_valid', { notBefore: new Date(now + 2 * minute) }],
    ['wrong InResponseTo', 'in_response_to', { inResponseTo: '_anotherrequest' }],
    ['unsolicited', 'in_response_to', { inResponseTo: undefined }],
    ['nobody named', 'subject', { nameId: '' }],
    ['a refusal by the identity provider', 'status', { status: 'Responder' }],
  ];
  it.each(cases)('%s: refused', async (_name, reason, change) => {
    expect(await reasonOf(signed(change))).toBe(reason);
  });

  it('wrong Issuer of the assertion alone: refused, though the signature is good', async () => {
    const assertion = assertionXml({ ...parts, issuer: 'https://other-idp.example.com' });
    expect(await reasonOf(sign(responseXml(parts, assertion), key))).toBe('issuer');
  });

  it('InResponseTo of the assertion alone wrong: refused, as an assertion could else be put into another response', async () => {
    const assertion = assertionXml({ ...parts, inResponseTo: '_anotherrequest' });
    expect(await reasonOf(sign(responseXml(parts, assertion), key))).toBe('in_response_to');
  });

  it('without AudienceRestriction, confirmation, its end or an authentication: refused', async () => {
    const without = (pattern: RegExp): string =>
      sign(responseXml(parts, assertionXml(parts).replace(pattern, '')), key);
    expect(await reasonOf(without(/<saml:AudienceRestriction>.*<\/saml:AudienceRestriction>/))).toBe('audience');
    expect(await reasonOf(without(/<saml:SubjectConfirmation .*<\/saml:SubjectConfirmation>/))).toBe('subject');
    expect(await reasonOf(without(/(?<=Data) NotOnOrAfter="[^"]*"/))).not.toMatch('taken');
    expect(await reasonOf(without(/<saml:AuthnStatement .*<\/saml:AuthnStatement>/))).toBe('shape');
  });
});

describe('what comes to the parser', () => {
  it('DOCTYPE: refused before parsing, with or without entities, in any case, in a signed document too', async () => {
    const doctypes = [
      '<!DOCTYPE x>',
      '<!DoCtYpE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
      '<!doctype x SYSTEM "http://evil">',
    ];
    for (const doctype of doctypes) expect(await reasonOf(doctype + signed())).toBe('doctype');
    const bomb = `<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>${signed()}`;
    expect(await reasonOf(bomb)).toBe('doctype');
  });

  it('what is no base64, no UTF-8, no XML, too long or something else is refused', () => {
    const reason = (encoded: string): string => {
      try {
        parseResponse(encoded);
        return 'taken';
      } catch (error) {
        return error instanceof SamlFault ? error.reason : String(error);
      }
    };
    expect(reason('<Response/>')).toBe('malformed');
    expect(reason(Buffer.from([0xff, 0xfe, 0x3c, 0x00]).toString('base64'))).toBe('malformed');
    expect(reason(encode('<a><b></a>'))).toBe('malformed');
    expect(reason(encode(''))).toBe('malformed');
    expect(reason('A'.repeat(600_000))).toBe('malformed');
    expect(reason(encode('<Response/>'))).toBe('shape');
    expect(reason(encode(`${signed()}<a/>`))).toBe('malformed');
  });

  it('what would take a parser long is refused before it, and what is nested deeply before anything recurses', async () => {
    const within = (xml: string): string => signed().replace('<samlp:Status>', `<x>${xml}</x><samlp:Status>`);
    const namespaces = Array.from({ length: 60 }, (_, index) => ` xmlns:n${index}="u"`).join('');
    expect(await reasonOf(within('<a/>'.repeat(5_000)))).toBe('malformed');
    expect(await reasonOf(within(`<a${namespaces}/>`))).toBe('malformed');
    expect(await reasonOf(within('<a>'.repeat(1_900) + '</a>'.repeat(1_900)))).toBe('malformed');
    const groups = Array.from({ length: 1_500 }, (_, index) => `group ${index}`);
    const many = await verify(signed({ attributes: { groups } }));
    expect(many.attributes.get('groups')).toEqual(groups);
  });

  it('a processing instruction is refused, and what is encrypted', async () => {
    expect(await reasonOf(signed().replace('<samlp:Status>', '<?php x?><samlp:Status>'))).toBe('shape');
    const encrypted = signed().replace(
      '</samlp:Response>',
      '<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/></samlp:Response>',
    );
    expect(await reasonOf(encrypted)).toBe('shape');
  });
});
