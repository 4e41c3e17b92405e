import { Inject, Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { BusClient } from '#libs/bus';
import { resultsRequests, type Execution, type Manifest, type StoredPage } from '#libs/contracts';
import { TokenVerifier, type Principal } from '#libs/identity';
import { AppError, toPublicErrorCode, type Clock } from '#libs/kernel';
import { CLOCK } from '#libs/service';
import { RequestContext } from '../request/request-context.js';
import { DecodedPagesStore } from '../results/decoded-pages.store.js';
import { sharedPage } from '../results/page-loan.js';
import { resultStateOf } from '../results/result-view.js';
import { expired } from '../results/results.service.js';
import { addressInvalid, DownloadAddresses, type DownloadGrant } from './download-addresses.js';
import { fileName } from './file-name.js';
import { formats } from './download-formats.js';
import { ResultPages, type ResultPage } from './result-pages.js';

/** An address that is good, and whose. */
export interface AdmittedDownload {
  readonly grant: DownloadGrant;
  readonly principal: Principal;
}

/** What an address leads to, with every right proven anew. */
export interface OpenDownload extends AdmittedDownload {
  readonly execution: Execution;
  readonly pages: ResultPages;
  readonly fileName: string;
  /** Stands for every byte of the file, on any gateway. */
  readonly tag: string;
}

/** Raised where a release writes other bytes than the one before, so that nobody glues two files together. */
const writersVersion = 2;
/** The page table answers with 64 pages at most anyway. */
const lookAheadRows = 1_000_000;

/** Finds what an address leads to, as its maker may see it now. */
@Injectable()
export class DownloadOpener {
  constructor(
    private readonly bus: BusClient,
    private readonly addresses: DownloadAddresses,
    private readonly verifier: TokenVerifier,
    private readonly stored: DecodedPagesStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Asks nobody, so that it costs next to nothing.
   * @throws AppError download.address_invalid
   */
  async admit(file: string, signature: string): Promise<AdmittedDownload> {
    const grant = this.addresses.open(signature, this.clock.nowMs());
    if (file !== `${grant.executionId}.${formats[grant.format].extension}`) throw addressInvalid();
    return { grant, principal: await this.prove(grant) };
  }

  /**
   * @param signal ends the reading of pages too
   * @throws AppError run.not_found, result.expired
   */
  async open({ grant, principal }: AdmittedDownload, requestId: string, signal: AbortSignal): Promise<OpenDownload> {
    const credentials = { kind: 'good', caller: { principal, accessToken: grant.accessToken } } as const;
    const context = new RequestContext(this.bus, requestId, { credentials }, { signal });
    const execution = await context.loaders.executions.load(grant.executionId);
    if (!execution) throw new AppError('run.not_found', 'There is no such execution.');
    const manifest = await context.loaders.manifestsWithRows.load(execution.runId);
    if (!manifest || resultStateOf(execution, manifest) !== 'COMPLETE') throw expired();
    const title = await titleOf(execution, context);
    const pages = manifest.inline ? [this.inlinePage(manifest)] : await this.locate(manifest, context);
    return {
      grant,
      principal,
      execution,
      pages: new ResultPages(manifest.columns, grant.columns, pages, signal, manifest.byteCount),
      fileName: fileName(title, formats[grant.format].extension),
      tag: tagOf(manifest, grant),
    };
  }

  /** The address is good only as long as its maker is. */
  private async prove({ accessToken }: DownloadGrant): Promise<Principal> {
    try {
      return await this.verifier.verify(accessToken);
    } catch (error) {
      if (error instanceof AppError && toPublicErrorCode(error.code) === 'UNAUTHENTICATED') throw addressInvalid(error);
      throw error;
    }
  }

  private inlinePage(manifest: Manifest): ResultPage {
    const { inline = new Uint8Array(), rowCount } = manifest;
    return { firstRow: 0, rowCount, open: async () => sharedPage(await this.stored.getInline(manifest, inline)) };
  }

  /**
   * Where all pages lie. They are looked up at once, some bytes for each, because the caller's token may end before a long
   * download does.
   */
  private async locate(manifest: Manifest, context: RequestContext): Promise<ResultPage[]> {
    const located: StoredPage[] = [];
    for (let row = 0; row < manifest.rowCount;) {
      const input = { runId: manifest.runId, fromRow: row, rowCount: lookAheadRows };
      const { pages, manifest: latest } = await context.ask(resultsRequests.locatePages, input);
      if (latest?.state === 'EXPIRED') throw expired();
      if (pages.length === 0) throw gap(row);
      for (const page of pages) {
        if (page.firstRow !== row) throw gap(row);
        located.push(page);
        row += page.rowCount;
      }
    }
    return located.map((page) => ({
      firstRow: page.firstRow,
      rowCount: page.rowCount,
      open: () => this.stored.lend(manifest, page),
    }));
  }
}

/** A file must not lack rows in its middle, and its reader could not see it. */
function gap(row: number): AppError {
  return new AppError('result.corrupt', 'A part of the result cannot be read.', {
    internalMessage: `no page holds row ${row}`,
  });
}

/** The saved query's name, where the caller may see it. */
async function titleOf(execution: Execution, { loaders }: RequestContext): Promise<string> {
  const { savedQueryId, id } = execution;
  const savedQuery = savedQueryId === undefined ? null : await loaders.savedQueries.load(savedQueryId);
  return savedQuery?.name ?? `sluice-${id}`;
}

function tagOf({ runId, fence }: Manifest, { format, columns, escapesFormulas }: DownloadGrant): string {
  const text = JSON.stringify([writersVersion, runId, fence, format, columns, escapesFormulas]);
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 27)}"`;
}
