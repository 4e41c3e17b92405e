import { DOMParser } from '@xmldom/xmldom';
import { SamlFault } from './saml-fault.js';

export const namespaces = {
  protocol: 'urn:oasis:names:tc:SAML:2.0:protocol',
  assertion: 'urn:oasis:names:tc:SAML:2.0:assertion',
  signature: 'http://www.w3.org/2000/09/xmldsig#',
} as const;

/** The kinds of DOM nodes that are told apart. */
const nodeType = { element: 1, text: 3, processingInstruction: 7 } as const;

/** Some two thousand values of attributes. */
const tagsMax = 4_000;
const prefixesMax = 50;
const depthMax = 50;

/**
 * Parses what must not have a document type: entities, external ones above all, never come to a parser.
 * @throws SamlFault
 */
export function parseXml(text: string): Document {
  // Before parsing, and in any place, as a parser's idea of where it may stand can be another than ours.
  if (/<!(?:doctype|entity)/i.test(text)) throw new SamlFault('doctype', 'the document has a document type');
  refuseCostly(text);
  const refuse = (message: unknown): never => {
    throw new SamlFault('malformed', `it is no well-formed XML: ${String(message)}`);
  };
  const errorHandler = { warning: refuse, error: refuse, fatalError: refuse };
  const document = new DOMParser({ errorHandler, locator: {} }).parseFromString(text, 'text/xml');
  // The types are a browser's, where a document always has an element.
  const root = document.documentElement as Element | null;
  if (!root) throw new SamlFault('malformed', 'the document is empty');
  refuseDeep(root);
  return document;
}

export function isElement(node: Node): node is Element {
  return node.nodeType === nodeType.element;
}

export function childElements(parent: Node): Element[] {
  return [...childNodes(parent)].filter(isElement);
}

export function childrenNamed(parent: Node, namespace: string, name: string): Element[] {
  return childElements(parent).filter((child) => child.namespaceURI === namespace && child.localName === name);
}

/** The only child of this name. @throws SamlFault where there is another number of them */
export function onlyChild(parent: Element, namespace: string, name: string): Element {
  const [child, another] = childrenNamed(parent, namespace, name);
  if (!child || another) throw new SamlFault('shape', `${parent.localName} has not exactly one ${name}`);
  return child;
}

/** All elements below and with this one. */
export function* elementsWithin(element: Element): Generator<Element> {
  yield element;
  for (const child of childElements(element)) yield* elementsWithin(child);
}

/** An element's text, where it has nothing but text. @throws SamlFault */
export function pureText(element: Element): string {
  if ([...childNodes(element)].some((node) => node.nodeType !== nodeType.text)) {
    throw new SamlFault('shape', `${element.localName} has something other than text`);
  }
  return element.textContent.trim();
}

export function hasProcessingInstruction(document: Document): boolean {
  // The declaration `<?xml …?>` is one to this DOM.
  const isOne = (node: Node): boolean => node.nodeType === nodeType.processingInstruction && node.nodeName !== 'xml';
  const within = (node: Node): boolean => isOne(node) || [...childNodes(node)].some(within);
  return within(document);
}

/** Anybody can send a document, and a parser takes the square of the namespaces that nested elements declare. */
function refuseCostly(text: string): void {
  if (text.split('<', tagsMax + 1).length > tagsMax) throw new SamlFault('malformed', 'the document has too many tags');
  const prefixes = new Set(text.match(/xmlns:[^\s=]+/g));
  if (prefixes.size > prefixesMax) throw new SamlFault('malformed', 'the document has too many namespaces');
}

/** A walk without recursion, so that what comes later may recurse. */
function refuseDeep(root: Element): void {
  let level: Node[] = [root];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > depthMax) throw new SamlFault('malformed', 'the document is nested too deeply');
    level = level.flatMap((node) => [...childNodes(node)]);
  }
}

function* childNodes(parent: Node): Generator<Node> {
  for (let node = parent.firstChild; node; node = node.nextSibling) yield node;
}
