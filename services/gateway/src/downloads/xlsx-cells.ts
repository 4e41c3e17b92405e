import type { Column } from '#libs/contracts';
import { isDocument, memberText } from './member-text.js';

/** More does not fit into a cell. */
export const cellTextMax = 32_767;

/** The styles of xlsx-parts.ts, by their places there. */
const dateStyle = 1;
const timestampStyle = 2;

/** What Excel holds of a number; one with more digits is written as text, as it would come back as another number. */
const digitsMax = 15;
const numberForm = /^-?\d+(?:\.\d+)?$/;
const dateForm = /^(\d{4})-\d\d-\d\d$/;
const timestampForm = /^(\d{4})-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?$/;

/** Days from 1899-12-30 to 1970-01-01: in 1900 the calendar of Excel has a 29 February, so it is right from March on. */
const serialOf1970 = 25_569;
const firstRightDay = 61;
const dayMs = 86_400_000;

/** The XML of one cell; '' where there is no value. `onCut` is told of a text that is too long for a cell. */
export type XlsxCell = (member: string, place: string, onCut: (place: string) => void) => string;

export function xlsxCell(column: Column): XlsxCell {
  const write = writerOf(column);
  return (member, place, onCut) => (member === 'null' ? '' : write(member, place, onCut));
}

export function textCell(text: string, place: string, onCut?: (place: string) => void): string {
  if (text.length > cellTextMax) onCut?.(place);
  const fitting = text.length > cellTextMax ? cut(text) : text;
  return `<c r="${place}" t="inlineStr"><is><t xml:space="preserve">${xlsxText(fitting)}</t></is></c>`;
}

function writerOf(column: Column): XlsxCell {
  if (isDocument(column)) return textCell;
  switch (column.type) {
    case 'BOOLEAN':
      return (member, place) => `<c r="${place}" t="b"><v>${member === 'true' ? 1 : 0}</v></c>`;
    case 'INTEGER':
      return numberCell;
    case 'FLOAT':
      return (member, place) => (member.startsWith('"') ? fromText(member, place) : numberCell(member, place));
    case 'BIGINT':
    case 'DECIMAL':
      return (member, place) => (isExact(memberText(member)) ? numberCell(member, place) : fromText(member, place));
    case 'DATE':
      return (member, place) => dayCell(member, place, dateForm, dateStyle);
    case 'TIMESTAMP':
      return (member, place) => dayCell(member, place, timestampForm, timestampStyle);
    default:
      return (member, place, onCut) => textCell(memberText(member), place, onCut);
  }
}

function fromText(member: string, place: string): string {
  return textCell(memberText(member), place);
}

function numberCell(member: string, place: string): string {
  return `<c r="${place}"><v>${memberText(member)}</v></c>`;
}

function isExact(text: string): boolean {
  if (!numberForm.test(text)) return false;
  return text.replace(/^-?0*\.?0*/, '').replace('.', '').length <= digitsMax;
}

/** A day of Excel's calendar where it has that day, and text elsewhere. */
function dayCell(member: string, place: string, form: RegExp, style: number): string {
  const text = memberText(member);
  if (form.test(text)) {
    const serial = Date.parse(`${text}${text.length > 10 ? '' : 'T00:00:00'}Z`) / dayMs + serialOf1970;
    if (serial >= firstRightDay) return `<c r="${place}" s="${style}"><v>${serial}</v></c>`;
  }
  return textCell(text, place);
}

/** As much as fits, without half of a character at its end. */
function cut(text: string): string {
  const last = text.charCodeAt(cellTextMax - 1);
  const isHalf = last >= 0xd800 && last < 0xdc00;
  return text.slice(0, isHalf ? cellTextMax - 1 : cellTextMax);
}

// XML cannot hold most control characters, and reads \r as \n; spreadsheets write all of them as _x000D_, and an
// underscore that would be read as the beginning of that as _x005F_.
// oxlint-disable-next-line no-control-regex -- these are the characters that it is about
const special = /[&<>]|[\u0000-\u0008\u000b-\u001f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)/g;
const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

export function xlsxText(text: string): string {
  return text.replace(
    special,
    (char) => entities[char] ?? `_x${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`,
  );
}
