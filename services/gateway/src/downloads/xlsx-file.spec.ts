import { buffer } from 'node:stream/consumers';
import ExcelJS from 'exceljs';
import { describe, expect, it } from 'vitest';
import type { Column } from '#libs/contracts';
import { decodePage, encodePage } from '#libs/result-store';
import { ownPage } from '../results/page-loan.js';
import { fileName } from './file-name.js';
import { ResultPages } from './result-pages.js';
import { xlsxCell, xlsxText } from './xlsx-cells.js';
import { xlsxFile } from './xlsx-file.js';

const column = (type: Column['type'], name: string): Column => ({ name, type, nullable: true });

async function workbookOf(columns: readonly Column[], rows: readonly unknown[][], rowsMax?: number) {
  const open = async () => ownPage(await decodePage(await encodePage(rows.map((row) => JSON.stringify(row)))));
  const pages = new ResultPages(columns, null, rows.length > 0 ? [{ firstRow: 0, rowCount: rows.length, open }] : []);
  const bytes = await buffer(xlsxFile(pages, rowsMax));
  const workbook = new ExcelJS.Workbook();
  // The library's Buffer is that of an older Node.
  await workbook.xlsx.load(bytes as unknown as Parameters<typeof workbook.xlsx.load>[0]);
  return workbook.worksheets.map((sheet) => ({
    name: sheet.name,
    rows: Array.from({ length: sheet.rowCount }, (_, index) =>
      columns.map((_column, place) => sheet.getRow(index + 1).getCell(place + 1).value),
    ),
  }));
}

const cell = (type: Column['type'], value: unknown): string =>
  xlsxCell(column(type, 'c'))(JSON.stringify(value), 'A1', () => undefined);

describe('a workbook', () => {
  it('goes on in further sheets where one is full, each with the names of the columns', async () => {
    const rows = Array.from({ length: 7 }, (_, index) => [index, `t${index}`]);
    const sheets = await workbookOf([column('INTEGER', 'n'), column('TEXT', 't')], rows, 4);
    expect(sheets.map(({ name }) => name)).toEqual(['Result', 'Result 2', 'Result 3']);
    expect(sheets.map(({ rows: [names] }) => names)).toEqual([1, 2, 3].map(() => ['n', 't']));
    expect(sheets.flatMap((sheet) => sheet.rows.slice(1))).toEqual(rows);
  });

  it('gives back each page that it has read, the last one too, and the one at which its reader leaves', async () => {
    let held = 0;
    const rows = Array.from({ length: 3 }, (_, index) => JSON.stringify([index]));
    const open = async () => {
      held += 1;
      return { page: await decodePage(await encodePage(rows)), [Symbol.dispose]: () => void (held -= 1) };
    };
    const pagesOfResult = [0, 3].map((firstRow) => ({ firstRow, rowCount: 3, open }));
    const pages = new ResultPages([column('INTEGER', 'n')], null, pagesOfResult);
    await buffer(xlsxFile(pages));
    expect(held).toBe(0);
    const left = xlsxFile(pages);
    await left.next();
    await left.return(undefined);
    expect(held).toBe(0);
  });

  it('without rows has the names of the columns', async () => {
    expect(await workbookOf([column('TEXT', '=a & <b>')], [])).toEqual([{ name: 'Result', rows: [['=a & <b>']] }]);
  });

  it('says which texts did not fit into a cell', async () => {
    const long = 'x'.repeat(40_000);
    const [result, notes] = await workbookOf(
      [column('INTEGER', 'n'), column('TEXT', 't')],
      [
        [1, 'fits'],
        [2, long],
      ],
    );
    expect(result?.rows[2]).toEqual([2, 'x'.repeat(32_767)]);
    expect(notes?.name).toBe('Notes');
    expect(notes?.rows.map(([text]) => text)).toEqual([expect.stringContaining('cut: 1'), '1: B3']);
  });
});

describe('a cell', () => {
  it('is there for an empty text, and not for NULL', () => {
    expect(cell('TEXT', '')).toBe('<c r="A1" t="inlineStr"><is><t xml:space="preserve"></t></is></c>');
    expect(cell('TEXT', null)).toBe('');
  });

  it.each([
    ['BIGINT', '123456789012345', true],
    ['BIGINT', '1234567890123456', false],
    ['DECIMAL', '-0.00123456789012345', true],
    ['DECIMAL', '1.234567890123456', false],
    ['DECIMAL', 'NaN', false],
    ['DATE', '1900-03-01', true],
    ['DATE', '1900-02-28', false],
    ['TIMESTAMP', '2026-11-21T10:20:30.123', true],
    ['TIMESTAMP', '2026-11-21T10:20:30.1234', false],
    ['TIMESTAMP_TZ', '2026-11-21T10:20:30+00:00', false],
  ] as const)('of %s %s is a number: %s', (type, value, isNumber) => {
    expect(cell(type, value).includes('<v>')).toBe(isNumber);
    expect(cell(type, value).includes('inlineStr')).toBe(!isNumber);
  });

  it('holds what XML cannot, and what looks like that', () => {
    expect(xlsxText('a\u0000\r\n\t<&>_x0041_\uffff')).toBe('a_x0000__x000D_\n\t&lt;&amp;&gt;_x005F_x0041__xFFFF_');
  });
});

describe('the name of a file', () => {
  it('leads into no other folder, is no hidden one and hides no ending', () => {
    expect(fileName('../../etc/passwd', 'csv')).toBe('etc passwd.csv');
    expect(fileName(' .profile ', 'csv')).toBe('profile.csv');
    expect(fileName('a\u202egpj.exe', 'csv')).toBe('a gpj.exe.csv');
    expect(fileName('???', 'csv')).toBe('result.csv');
    expect([...fileName('𝕊'.repeat(500), 'csv')]).toHaveLength(124);
  });
});
