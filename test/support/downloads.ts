import type { ApiClient } from './api-client.js';
import type { RunningMesh } from './running-mesh.js';

export const downloadFormats = ['CSV', 'TSV', 'JSON', 'NDJSON', 'XLSX', 'PARQUET', 'ARROW'] as const;

export type DownloadFormat = (typeof downloadFormats)[number];

export interface DownloadArgs {
  format: DownloadFormat;
  columns?: string[];
  escapeFormulas?: boolean;
}

export interface Download {
  url: string;
  expiresAt: string;
}

interface DownloadAnswer {
  execution: { result: { download: Download | null } | null } | null;
}

export function sendDownload(client: ApiClient, id: string, args: DownloadArgs) {
  return client.send<DownloadAnswer>(
    `query ($id: ID!, $format: DownloadFormat!, $columns: [String!], $escapeFormulas: Boolean) {
       execution(id: $id) { result {
         download(format: $format, columns: $columns, escapeFormulas: $escapeFormulas) { url expiresAt } } } }`,
    { id, ...args },
  );
}

/** An address for the result of an execution. */
export async function addressOf(client: ApiClient, id: string, args: DownloadArgs): Promise<string> {
  const { data, errors } = await sendDownload(client, id, args);
  const url = data?.execution?.result?.download?.url;
  if (url === undefined) throw new Error(`no address for ${id}: ${JSON.stringify(errors)}`);
  return url;
}

/** The bytes of a whole download; throws where it is refused or breaks. */
export async function downloaded(client: ApiClient, id: string, args: DownloadArgs): Promise<Buffer> {
  const response = await fetch(await addressOf(client, id, args), { signal: AbortSignal.timeout(60_000) });
  if (response.status !== 200) throw new Error(`HTTP ${response.status}: ${await response.text()}`);
  return Buffer.from(await response.arrayBuffer());
}

/** What the first gateway tells of itself under the name, with labels where it has some; 0 where it tells nothing. */
export async function metricOf({ access }: RunningMesh, name: string): Promise<number> {
  const text = await (await fetch(`${access.operationsUrls['gateway'] ?? ''}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(name));
  return Number(line?.split(' ').at(-1) ?? 0);
}
