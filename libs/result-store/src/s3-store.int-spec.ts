import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasS3Server, S3Server } from '#libs/testing';
import { describePageStore, failureOf, type StoreUnderTest } from '../test/page-store-suite.js';
import { objectBytesMax } from './object-store.js';
import { s3Client, type S3Place } from './s3-client.js';
import { S3Store } from './s3-store.js';

// Without Go there is no server to test against; deploy/tools/s3-server.mjs has said so.
describe.skipIf(!hasS3Server)('S3', () => {
  let server: S3Server;
  let tests = 0;

  beforeAll(async () => {
    server = await S3Server.start();
  });

  afterAll(() => server[Symbol.asyncDispose]());

  function placeOf(change: Partial<S3Place> = {}): S3Place {
    const { bucket, endpoint, accessKeyId, secretAccessKey } = server;
    tests += 1;
    return {
      ...{ bucket, endpoint, prefix: `test-${tests}/`, region: 'us-east-1', pathStyle: true },
      // As settings are.
      credentials: Object.freeze({ kind: 'keys', accessKeyId, secretAccessKey }),
      ...{ timeoutMs: 20_000, attempts: 2 },
      ...change,
    };
  }

  async function openBucket(): Promise<StoreUnderTest> {
    const place = placeOf();
    const client = await s3Client(place);
    const at = (key: string) => ({ Bucket: place.bucket, Key: `${place.prefix}${key}` });
    const objects = new S3Store(place);
    return {
      objects,
      overwrite: async (key, Body) => void (await client.putObject({ ...at(key), Body })),
      remove: async (key) => void (await client.deleteObject(at(key))),
      close: async () => {
        client.destroy();
        await objects.close();
      },
    };
  }

  describePageStore('S3', openBucket);

  describe('a bucket', () => {
    it('is listed and emptied to the end, also where one listing does not hold it', async () => {
      const store = new S3Store(placeOf());
      const keys = Array.from({ length: 1_050 }, (_, index) => `a/${index}/0`);
      for (let at = 0; at < keys.length; at += 50) {
        await Promise.all(keys.slice(at, at + 50).map((key) => store.create(key, Buffer.of(1))));
      }
      const names = new Set<string>();
      for await (const name of store.namesBelow('a')) names.add(name);
      expect(names.size).toBe(keys.length);
      await store.removeBelow('a');
      expect((await store.namesBelow('a')[Symbol.asyncIterator]().next()).done).toBe(true);
      await store.close();
    });

    it('that is not there, or whose keys are wrong, is unavailable, and no page of it is called missing', async () => {
      const wrongKeys = { kind: 'keys', accessKeyId: 'test-access', secretAccessKey: 'wrong' } as const;
      for (const change of [{ bucket: 'absent' }, { credentials: wrongKeys }]) {
        const store = new S3Store(placeOf(change));
        for (const attempt of [
          () => store.read('a/b'),
          () => store.create('a/b', Buffer.of(1)),
          () => store.removeBelow('a'),
        ]) {
          const failure = await failureOf(attempt());
          expect(failure).toMatchObject({ code: 'result.store_unavailable', retryable: true });
          expect(inspect(failure, { depth: 10 })).not.toMatch(/Signature[^D]|Authorization/);
        }
        await store.close();
      }
    });

    it('has no prefix that another reaches into', async () => {
      const [one, other] = [new S3Store(placeOf()), new S3Store(placeOf())];
      await one.create('a/b', Buffer.of(1));
      expect(await other.read('a/b')).toBeUndefined();
      await other.removeBelow('a');
      expect(await one.read('a/b')).toEqual(new Uint8Array([1]));
      await Promise.all([one.close(), other.close()]);
    });

    it('holds an object larger than any page: it is refused before it is read', async () => {
      const store = new S3Store(placeOf());
      await store.create('a/b', Buffer.alloc(objectBytesMax + 1));
      expect(await failureOf(store.read('a/b'))).toMatchObject({ code: 'result.corrupt' });
      await store.close();
    });
  });

  describe('an answer', () => {
    /** Stands before the server and answers some requests in another way. */
    async function inFrontOf(other: (asked: IncomingMessage, body: Buffer, answer: ServerResponse) => boolean) {
      const front = createServer((asked, answer) => {
        const options = { port: server.port, method: asked.method, path: asked.url, headers: asked.headers };
        const passed = request(options, (found) => {
          void answerBy(found);
        });
        const answerBy = async (found: IncomingMessage): Promise<void> => {
          const body = await buffer(found);
          if (!other(asked, body, answer)) answer.writeHead(found.statusCode ?? 500, found.headers).end(body);
        };
        asked.pipe(passed);
      });
      await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
      const store = new S3Store(placeOf({ endpoint: `http://127.0.0.1:${(front.address() as AddressInfo).port}` }));
      const close = async (): Promise<void> => {
        await store.close();
        front.close();
        front.closeAllConnections();
      };
      return { store, [Symbol.asyncDispose]: close };
    }

    it('that breaks off is asked for again', async () => {
      let broken = 0;
      await using front = await inFrontOf((asked, body, answer) => {
        if (asked.method !== 'GET' || broken === 2) return false;
        broken += 1;
        answer.writeHead(200, { 'content-length': body.length });
        answer.write(body.subarray(0, 1_000), () => answer.destroy());
        return true;
      });
      const bytes = Buffer.alloc(1_000_000, 'page');
      await front.store.create('a/b', bytes);
      expect(Buffer.from((await front.store.read('a/b')) ?? []).equals(bytes)).toBe(true);
      expect(broken).toBe(2);
    });

    it('that another write is under way is waited for, until one of the two stands', async () => {
      let conflicts = 0;
      await using front = await inFrontOf((asked, _body, answer) => {
        if (asked.method !== 'PUT' || conflicts === 2) return false;
        conflicts += 1;
        answer.writeHead(409, { 'content-type': 'application/xml' });
        answer.end('<Error><Code>ConditionalRequestConflict</Code><Message>under way</Message></Error>');
        return true;
      });
      // The first of them was ours, and has stood since.
      expect(await front.store.create('a/b', Buffer.of(1))).toBe(false);
      expect(await front.store.read('a/b')).toEqual(new Uint8Array([1]));
      expect(conflicts).toBe(2);
    });
  });

  describe('a server', () => {
    it('that is killed is unavailable within the set time and attempts, and serves what it had when it is back', async () => {
      const store = new S3Store(placeOf());
      await store.create('a/b', Buffer.of(1));
      await server.kill();
      expect(await failureOf(store.read('a/b'))).toMatchObject({ code: 'result.store_unavailable' });
      await server.launch();
      expect(await store.read('a/b')).toEqual(new Uint8Array([1]));
      await store.close();
    });

    it('that answers nothing is given up on', async () => {
      const store = new S3Store(placeOf({ timeoutMs: 300 }));
      await store.create('a/b', Buffer.of(1));
      await server.pause();
      const before = performance.now();
      expect(await failureOf(store.read('a/b'))).toMatchObject({ code: 'result.store_unavailable' });
      expect(performance.now() - before).toBeLessThan(5_000);
      server.resume();
      expect(await store.read('a/b')).toEqual(new Uint8Array([1]));
      await store.close();
    });
  });
});
