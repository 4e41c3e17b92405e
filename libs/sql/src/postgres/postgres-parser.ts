import { setFlagsFromString } from 'node:v8';
import { LRUCache } from 'lru-cache';
import { AppError } from '#libs/kernel';
import { placeOf, rejected } from '../sql-text.js';

/** The parts of the WebAssembly module that a parse needs. */
interface ParserModule {
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  _wasm_parse_query_raw(text: number): number;
  _wasm_free_parse_result(result: number): void;
  readonly HEAPU8: Uint8Array;
  getValue(pointer: number, type: 'i32'): number;
  lengthBytesUTF8(text: string): number;
  stringToUTF8(text: string, pointer: number, bytesMax: number): void;
  UTF8ToString(pointer: number): string;
}

/** A node of the parse tree: `{ "SelectStmt": { … } }`, or the members of a node whose kind its field tells. */
export interface ParseNode {
  readonly [name: string]: unknown;
}

/** The trees of the last texts: a question's statement is read for its limit, its proof and its policies in turn. */
const lastTrees = new LRUCache<string, ParseNode[]>({ max: 4 });

/** A parser that has read more than this at once is replaced: WebAssembly never gives back the memory it has used. */
const keptLengthMax = 20_000;

let current: Promise<ParserModule> | undefined;

/**
 * The statements of a text, by PostgreSQL's own parser (libpg_query 18, WebAssembly, loaded on first use).
 * @throws AppError sql.rejected with the parser's message and the place
 */
export async function parsePostgres(sql: string): Promise<ParseNode[]> {
  const known = lastTrees.get(sql);
  if (known) return known;
  current ??= load();
  const parser = await current;
  try {
    const statements = parse(parser, sql);
    if (sql.length <= keptLengthMax) lastTrees.set(sql, statements);
    return statements;
  } catch (error) {
    if (error instanceof AppError) throw error;
    // A stack that was torn in the middle of C code stays torn: nothing that this parser says later could be trusted.
    current = undefined;
    throw rejected('The statement is nested too deeply.');
  } finally {
    if (sql.length > keptLengthMax) current = undefined;
  }
}

/**
 * V8 would compile the parser a second time, for speed, after its first use: some 8 seconds of a core and 600 MB for the
 * grammar's one enormous function, and no measurable gain (0.06 ms a statement before and after).
 */
function keepBaselineCode(): void {
  setFlagsFromString('--no-wasm-dynamic-tiering');
  setFlagsFromString('--no-wasm-tier-up');
}

async function load(): Promise<ParserModule> {
  try {
    keepBaselineCode();
    // The package's own face keeps one parser for ever; this is its factory, so that a broken one can be replaced.
    const { default: create } = await import('libpg-query/wasm/libpg-query.js');
    return await create();
  } catch (error) {
    current = undefined;
    throw error;
  }
}

function parse(parser: ParserModule, sql: string): ParseNode[] {
  const bytes = parser.lengthBytesUTF8(sql) + 1;
  const text = parser._malloc(bytes);
  if (text === 0) throw new RangeError('the parser has no memory');
  parser.stringToUTF8(sql, text, bytes);
  const result = parser._wasm_parse_query_raw(text);
  parser._free(text);
  if (result === 0) throw new RangeError('the parser has no memory');
  try {
    // struct { char *parse_tree; char *stderr_buffer; PgQueryError *error; }
    const [tree, error] = [parser.getValue(result, 'i32'), parser.getValue(result + 8, 'i32')];
    if (error !== 0) throw refusal(parser, error, sql);
    // libpg_query writes `{"version": …, "stmts": [{"stmt": {…}}]}`, without stmts where there is no statement.
    const { stmts = [] } = JSON.parse(textAt(parser, tree)) as { stmts?: { stmt: ParseNode }[] };
    return stmts.map(({ stmt }) => stmt);
  } finally {
    parser._wasm_free_parse_result(result);
  }
}

/** As UTF8ToString, which looks for the end in JavaScript, a byte at a time. */
function textAt({ HEAPU8: memory }: ParserModule, pointer: number): string {
  return Buffer.from(memory.buffer, pointer, memory.indexOf(0, pointer) - pointer).toString('utf8');
}

function refusal(parser: ParserModule, error: number, sql: string): Error {
  // struct { char *message; char *funcname; char *filename; int lineno; int cursorpos; char *context; }
  const message = parser.UTF8ToString(parser.getValue(error, 'i32'));
  const cursor = parser.getValue(error + 16, 'i32');
  return rejected(message, cursor > 0 ? placeOf(sql, cursor - 1) : undefined);
}
