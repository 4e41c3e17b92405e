import { describe, expect, it } from 'vitest';
import { resolveFreshness } from './freshness.js';

const settings = { adhocTtlSeconds: 300, savedTtlSeconds: 86_400, ttlMaxSeconds: 86_400 };
const noJitter = () => 0;
const adhoc = { source: {}, savedQuery: undefined };
const saved = { source: {}, savedQuery: {} };

describe('how old a kept result may be', () => {
  it('is what the caller wants, to the second', () => {
    const wish = { maxAgeSeconds: 7, staleWhileRevalidateSeconds: 9 };
    expect(resolveFreshness(wish, saved, settings)).toEqual({ maxAgeSeconds: 7, staleSeconds: 9 });
  });

  it('is the installation’s default otherwise, by the kind of question, and never stale', () => {
    expect(resolveFreshness(undefined, adhoc, settings, noJitter)).toEqual({ maxAgeSeconds: 300, staleSeconds: 0 });
    expect(resolveFreshness({}, saved, settings, noJitter)).toEqual({ maxAgeSeconds: 86_400, staleSeconds: 0 });
  });

  it('is what the saved query says, else its source, else its workspace', () => {
    const of = (asked: Parameters<typeof resolveFreshness>[1]): number =>
      resolveFreshness({}, asked, settings, noJitter).maxAgeSeconds;
    expect(of({ source: { cacheTtlSeconds: 20 }, savedQuery: { cacheTtlSeconds: 10 } })).toBe(10);
    expect(of({ source: { cacheTtlSeconds: 20 }, savedQuery: {} })).toBe(20);
    expect(of({ source: { cacheTtlSeconds: 20 }, savedQuery: undefined })).toBe(20);
    expect(of({ source: { cacheTtlSeconds: 20 }, savedQuery: { cacheTtlSeconds: 0 } })).toBe(0);
    expect(of({ source: { cacheTtlSeconds: 20 }, savedQuery: {}, settings: { cacheTtlSeconds: 30 } })).toBe(20);
    expect(of({ ...saved, settings: { cacheTtlSeconds: 30 } })).toBe(30);
    expect(of({ ...adhoc, settings: { cacheTtlSeconds: 0 } })).toBe(0);
  });

  it('is never more than the installation allows, whatever is configured below it', () => {
    const config = { ...settings, ttlMaxSeconds: 60 };
    expect(resolveFreshness({}, saved, config, noJitter).maxAgeSeconds).toBe(60);
    expect(
      resolveFreshness({}, { source: { cacheTtlSeconds: 90 }, savedQuery: {} }, config, noJitter).maxAgeSeconds,
    ).toBe(60);
  });

  it('differs a little from question to question, so that results do not all end at once', () => {
    const ages = [0, 0.5, 1].map((random) => resolveFreshness({}, adhoc, settings, () => random).maxAgeSeconds);
    expect(ages).toEqual([300, 285, 270]);
  });

  it.each([
    [{ maxAgeSeconds: -1 }, 'maxAgeSeconds'],
    [{ maxAgeSeconds: 86_401 }, 'maxAgeSeconds'],
    [{ staleWhileRevalidateSeconds: -1 }, 'staleWhileRevalidateSeconds'],
  ])('is refused at its place where it is out of bounds: %o', (wish, name) => {
    expect(() => resolveFreshness(wish, saved, settings)).toThrow(
      expect.objectContaining({ code: 'input.invalid', path: ['cache', name] }),
    );
  });
});
