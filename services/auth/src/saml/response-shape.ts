import { SamlFault } from './saml-fault.js';
import { childElements, childrenNamed, elementsWithin, namespaces, onlyChild, pureText } from './xml.js';

const algorithms = {
  canonicalization: new Set(['http://www.w3.org/2001/10/xml-exc-c14n#']),
  digest: new Set(['http://www.w3.org/2001/04/xmlenc#sha256', 'http://www.w3.org/2001/04/xmlenc#sha512']),
  signature: new Set([
    'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
    'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1',
  ]),
  transforms: ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', 'http://www.w3.org/2001/10/xml-exc-c14n#'],
} as const;

/** What a response is made of, once its form is known to be the only one that is taken. */
export interface ResponseShape {
  readonly response: Element;
  readonly assertionId: string;
  readonly isResponseSigned: boolean;
  readonly isAssertionSigned: boolean;
}

/**
 * Refuses every form but the plain one, before any signature is looked at: one response with one assertion right below it,
 * no id twice, and signatures only where they sign their own parent. Wrapped signatures (XSW) all need another form.
 * @throws SamlFault
 */
export function shapeOf(document: Document): ResponseShape {
  const response = document.documentElement;
  if (response.namespaceURI !== namespaces.protocol || response.localName !== 'Response') {
    throw new SamlFault('shape', 'the document is no SAML response');
  }
  const elements = [...elementsWithin(response)];
  const assertion = onlyChild(response, namespaces.assertion, 'Assertion');
  refuseTwice(elements, 'Response');
  refuseTwice(elements, 'Assertion');
  if (elements.some(({ localName }) => localName.startsWith('Encrypted'))) {
    throw new SamlFault('shape', 'something in it is encrypted');
  }
  refuseEqualIds(elements);
  const signed = [response, assertion].map((element) => isSignedByChild(element));
  const [isResponseSigned = false, isAssertionSigned = false] = signed;
  const signatures = elements.filter(({ localName }) => localName === 'Signature').length;
  if (signatures !== signed.filter(Boolean).length) throw new SamlFault('shape', 'a signature stands in a wrong place');
  if (signatures === 0) throw new SamlFault('unsigned', 'neither the response nor its assertion is signed');
  return { response, assertionId: idOf(assertion), isResponseSigned, isAssertionSigned };
}

/** In any namespace: what reads the document later may look at local names alone. */
function refuseTwice(elements: readonly Element[], name: string): void {
  if (elements.filter(({ localName }) => localName === name).length !== 1) {
    throw new SamlFault('shape', `the document has more than one ${name}`);
  }
}

function refuseEqualIds(elements: readonly Element[]): void {
  const ids = elements.flatMap((element) =>
    ['ID', 'Id', 'id', 'xml:id'].map((name) => element.getAttribute(name)).filter((id) => id),
  );
  if (new Set(ids).size !== ids.length) throw new SamlFault('shape', 'an id is there twice');
}

function idOf(element: Element): string {
  const id = element.getAttribute('ID');
  if (!id || !/^[\w.-]+$/.test(id)) throw new SamlFault('shape', `${element.localName} has no plain ID`);
  return id;
}

function isSignedByChild(element: Element): boolean {
  const [signature, another] = childrenNamed(element, namespaces.signature, 'Signature');
  if (another) throw new SamlFault('shape', `${element.localName} has several signatures`);
  if (!signature) return false;
  checkSignature(signature, idOf(element));
  return true;
}

function checkSignature(signature: Element, id: string): void {
  if (childElements(signature).some(({ localName }) => localName === 'Object')) {
    throw new SamlFault('shape', 'a signature carries an object');
  }
  const child = (parent: Element, name: string): Element => onlyChild(parent, namespaces.signature, name);
  const signedInfo = child(signature, 'SignedInfo');
  const reference = child(signedInfo, 'Reference');
  if (reference.getAttribute('URI') !== `#${id}`) throw new SamlFault('shape', 'a signature is of something else');
  // A comment in a value may be read over by one and not by another (CVE-2025-29775).
  pureText(child(reference, 'DigestValue'));
  pureText(child(signature, 'SignatureValue'));
  checkAlgorithm('canonicalization', child(signedInfo, 'CanonicalizationMethod'));
  checkAlgorithm('signature', child(signedInfo, 'SignatureMethod'));
  checkAlgorithm('digest', child(reference, 'DigestMethod'));
  const transforms = childElements(child(reference, 'Transforms')).map((one) => one.getAttribute('Algorithm'));
  if (transforms.join(' ') !== algorithms.transforms.join(' ')) {
    throw new SamlFault('algorithm', `a signature has the transforms ${transforms.join(' ')}`);
  }
}

function checkAlgorithm(kind: 'canonicalization' | 'digest' | 'signature', element: Element): void {
  const algorithm = element.getAttribute('Algorithm') ?? '';
  if (!algorithms[kind].has(algorithm)) throw new SamlFault('algorithm', `the ${kind} by ${algorithm} is not taken`);
}
