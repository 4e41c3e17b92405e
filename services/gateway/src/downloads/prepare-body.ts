import type { Request } from 'express';
import { AppError } from '#libs/kernel';
import type { BytePlaces } from './byte-places.store.js';
import { boundsOf, parseRange } from './byte-range.js';
import { formats, type FileFormat, type TextFormat } from './download-formats.js';
import type { OpenDownload } from './download-opener.service.js';
import { TextFile } from './text-file.js';
import { codingFor, type ContentCoding } from './transfer.js';

/** What is answered: the head, and the bytes where there are any. */
export interface PreparedBody {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly coding: ContentCoding;
  readonly content?: AsyncGenerator<Uint8Array, void, undefined>;
}

/**
 * Decides what a request is answered with. What can fail before the first byte, such as a first page that is damaged,
 * fails here.
 */
export async function prepareBody(
  download: OpenDownload,
  request: Request,
  places: BytePlaces,
  signal: AbortSignal,
): Promise<PreparedBody> {
  const format = formats[download.grant.format];
  const body =
    format.kind === 'text'
      ? await textBody(download, format, request, places, signal)
      : fileBody(download, format, request);
  if (!body.content || request.method === 'HEAD') return body;
  return { ...body, content: await begun(body.content) };
}

function fileBody({ pages }: OpenDownload, format: FileFormat, request: Request): PreparedBody {
  const coding = format.isPacked ? 'identity' : chosenCoding(request);
  return {
    status: 200,
    headers: { 'content-type': format.contentType, 'accept-ranges': 'none', ...codingHeaders(coding) },
    coding,
    content: format.write(pages),
  };
}

async function textBody(
  download: OpenDownload,
  format: TextFormat,
  request: Request,
  places: BytePlaces,
  signal: AbortSignal,
): Promise<PreparedBody> {
  const { pages, grant, tag } = download;
  const file = new TextFile(pages, format.writer(pages, grant), places.of(tag, pages.pages.length + 2));
  const common = { 'content-type': format.contentType };
  const range = isRangeWanted(request, tag) ? parseRange(request.get('range')) : undefined;
  if (range) {
    // The end of the range belongs into the head of the answer, so what nobody has read so far is counted first.
    const length = await file.length(signal);
    const bounds = boundsOf(range, length);
    const headers = { ...common, 'accept-ranges': 'bytes', etag: tag };
    if (!bounds) {
      return { status: 416, headers: { ...headers, 'content-range': `bytes */${length}` }, coding: 'identity' };
    }
    const { from, to } = bounds;
    return {
      status: 206,
      headers: {
        ...headers,
        'content-range': `bytes ${from}-${to - 1}/${length}`,
        'content-length': String(to - from),
      },
      coding: 'identity',
      content: file.read(from, to),
    };
  }
  const coding = chosenCoding(request);
  return {
    status: 200,
    headers: {
      ...common,
      ...codingHeaders(coding),
      ...(coding === 'identity' ? resumable(tag, file.knownLength) : {}),
    },
    coding,
    content: file.read(),
  };
}

/** Only the bytes as they are can be asked for from a place on; packed ones come whole. */
function resumable(tag: string, length: number | undefined): Record<string, string> {
  const known: Record<string, string> = length === undefined ? {} : { 'content-length': String(length) };
  return { 'accept-ranges': 'bytes', etag: tag, ...known };
}

function codingHeaders(coding: ContentCoding): Record<string, string> {
  const common = { vary: 'Accept-Encoding' };
  return coding === 'identity' ? common : { ...common, 'content-encoding': coding, 'accept-ranges': 'none' };
}

/** A part is asked for, and of no other file than this one. */
function isRangeWanted(request: Request, tag: string): boolean {
  const condition = request.get('if-range');
  return request.method === 'GET' && (condition === undefined || condition === tag);
}

function chosenCoding(request: Request): ContentCoding {
  const coding = codingFor(request);
  if (coding) return coding;
  throw new AppError('input.invalid', 'None of zstd, gzip and identity is accepted.');
}

/** The same bytes, the first of which are there already. */
async function begun(
  content: AsyncGenerator<Uint8Array, void, undefined>,
): Promise<AsyncGenerator<Uint8Array, void, undefined>> {
  const first = await content.next();
  return (async function* () {
    try {
      if (!first.done) yield first.value;
      yield* content;
    } finally {
      await content.return();
    }
  })();
}
