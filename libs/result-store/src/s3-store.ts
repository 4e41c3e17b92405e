import type { S3 } from '@aws-sdk/client-s3';
import { backoffMs, delay, isId } from '#libs/kernel';
import {
  corrupt,
  objectBytesMax,
  storeFull,
  storeUnavailable,
  type ObjectStore,
  type StoredRun,
} from './object-store.js';
import { s3Client, type S3Place } from './s3-client.js';

/** An object as a listing has it, its key without the prefix. */
interface ListedObject {
  readonly key: string;
  readonly changedAt: Date;
}

/** What stores that can be full say, each in its way. */
const noRoom = new Set(['XMinioStorageFull', 'QuotaExceeded', 'InsufficientStorage']);

/** How often is asked again what the SDK does not ask again: a write that met another one, and an answer that broke off. */
const repeatsMax = 4;
const repeats = { initialMs: 200, maxMs: 2_000 };

/** What S3 lists and deletes with one request. */
const batchSize = 1_000;

/**
 * Objects in a bucket of S3, or of what speaks like it: strongly consistent, with conditional writes (`If-None-Match`)
 * and listings in the order of keys. The SDK repeats what may be repeated.
 */
export class S3Store implements ObjectStore {
  readonly name: string;
  private readonly bucket: string;
  private readonly prefix: string;
  private client: Promise<S3> | undefined;

  constructor(private readonly place: S3Place) {
    this.bucket = place.bucket;
    this.prefix = place.prefix;
    this.name = `s3://${place.bucket}/${place.prefix}`;
  }

  create(key: string, bytes: Uint8Array): Promise<boolean> {
    return this.put(key, bytes, 0);
  }

  private async put(key: string, bytes: Uint8Array, repeated: number): Promise<boolean> {
    try {
      await this.ask((s3) => s3.putObject({ ...this.at(key), Body: bytes, IfNoneMatch: '*' }));
      return true;
    } catch (error) {
      if (statusOf(error) === 412) return false;
      // Another write to the key is under way, such as one of our own that was given up on: one of the two will stand.
      if (statusOf(error) === 409 && repeated < repeatsMax) {
        await delay(backoffMs(repeated, repeats));
        return this.put(key, bytes, repeated + 1);
      }
      const [what, cause] = [`${key} cannot be written`, withoutRequest(error)];
      throw statusOf(error) === 507 || noRoom.has(nameOf(error))
        ? storeFull(what, cause)
        : storeUnavailable(what, cause);
    }
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    try {
      return await this.ask((s3) => this.readBody(s3, key, 0));
    } catch (error) {
      if (nameOf(error) === 'NoSuchKey') return undefined;
      throw nameOf(error) === 'AppError' ? error : storeUnavailable(`${key} cannot be read`, withoutRequest(error));
    }
  }

  private async readBody(s3: S3, key: string, repeated: number): Promise<Uint8Array | undefined> {
    const { Body, ContentLength = 0 } = await s3.getObject(this.at(key));
    if (ContentLength > objectBytesMax) {
      await Body?.transformToWebStream().cancel();
      throw corrupt(`${key} has ${ContentLength} bytes`);
    }
    try {
      return await Body?.transformToByteArray();
    } catch (error) {
      if (repeated === repeatsMax) throw error;
      await delay(backoffMs(repeated, repeats));
      return this.readBody(s3, key, repeated + 1);
    }
  }

  async *namesBelow(key: string): AsyncGenerator<string> {
    const below = `${this.prefix}${key}/`;
    let token: string | undefined;
    do {
      const page = await this.list({ Prefix: below, Delimiter: '/', ContinuationToken: token });
      for (const { Prefix = '' } of page.CommonPrefixes ?? []) yield Prefix.slice(below.length, -1);
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  async removeBelow(key: string): Promise<void> {
    const batch: string[] = [];
    for await (const object of this.objectsBelow(`${key}/`)) {
      batch.push(object.key);
      if (batch.length === batchSize) await this.remove(batch.splice(0));
    }
    await this.remove(batch);
  }

  /** Keys come in their order, so those of one run come one behind the other. */
  async *listRuns(): AsyncGenerator<StoredRun> {
    let run: StoredRun | undefined;
    for await (const { key, changedAt } of this.objectsBelow('')) {
      const [workspaceId = '', runId = ''] = key.split('/', 2);
      if (!isId('workspace', workspaceId) || !isId('run', runId)) continue;
      const isSame = run?.workspaceId === workspaceId && run.runId === runId;
      if (run && !isSame) yield run;
      run = { workspaceId, runId, changedAt: run && isSame && run.changedAt > changedAt ? run.changedAt : changedAt };
    }
    if (run) yield run;
  }

  async close(): Promise<void> {
    (await this.client)?.destroy();
  }

  private async *objectsBelow(key: string): AsyncGenerator<ListedObject> {
    let token: string | undefined;
    do {
      const page = await this.list({ Prefix: `${this.prefix}${key}`, ContinuationToken: token });
      for (const { Key = '', LastModified = new Date() } of page.Contents ?? []) {
        yield { key: Key.slice(this.prefix.length), changedAt: LastModified };
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  private async list(what: { Prefix: string; Delimiter?: string; ContinuationToken: string | undefined }) {
    const { ContinuationToken, ...rest } = what;
    const input = {
      Bucket: this.bucket,
      MaxKeys: batchSize,
      ...rest,
      ...(ContinuationToken ? { ContinuationToken } : {}),
    };
    try {
      return await this.ask((s3) => s3.listObjectsV2(input));
    } catch (error) {
      throw storeUnavailable('the store cannot be listed', withoutRequest(error));
    }
  }

  private async remove(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const Objects = keys.map((key) => ({ Key: `${this.prefix}${key}` }));
    try {
      const { Errors } = await this.ask((s3) =>
        s3.deleteObjects({ Bucket: this.bucket, Delete: { Objects, Quiet: true } }),
      );
      const [first] = Errors ?? [];
      if (first) throw new Error(`${first.Key}: ${first.Code} ${first.Message}, and ${keys.length - 1} more at once`);
    } catch (error) {
      throw storeUnavailable(`${keys.length} objects cannot be deleted`, withoutRequest(error));
    }
  }

  private at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: `${this.prefix}${key}` };
  }

  private async ask<T>(request: (s3: S3) => Promise<T>): Promise<T> {
    this.client ??= s3Client(this.place);
    return request(await this.client);
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

function statusOf(error: unknown): number {
  if (!(error instanceof Error) || !('$metadata' in error)) return 0;
  // What the SDK throws carries the answer's status there.
  return (error.$metadata as { httpStatusCode?: number }).httpStatusCode ?? 0;
}

/** What the SDK throws carries the signed request and the answer with it, which is nothing for a log. */
function withoutRequest(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const code = 'code' in error ? String(error.code) : '';
  return new Error(`${error.name} ${error.message || code}`.trim());
}
