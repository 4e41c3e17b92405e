import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { inPlainWords, placesOf } from './index.js';

const schema = z.strictObject({
  name: z.string().min(1).max(3),
  count: z.number().int().min(2).max(9).optional(),
  tags: z.array(z.string()).min(1).max(2).optional(),
  kind: z.enum(['a', 'b']).optional(),
  inner: z.strictObject({ on: z.boolean() }).optional(),
  address: z.string().regex(/^x/, 'It begins with x.').optional(),
  form: z.string().regex(/^x/).optional(),
});

function faultsOf(value: unknown): Record<string, string> {
  const { error } = schema.safeParse(value, inPlainWords);
  return Object.fromEntries(
    placesOf(error ?? { issues: [] }, ['root']).map(({ path, message }) => [path.join('.'), message]),
  );
}

describe('faults of a schema', () => {
  it('say what is wrong in words that do not speak of JavaScript', () => {
    expect(faultsOf({})).toEqual({ 'root.name': 'This is missing.' });
    expect(faultsOf({ name: 5, count: 'x', tags: 'x', kind: 5, inner: 'x' })).toEqual({
      'root.name': 'Give a text.',
      'root.count': 'Give a number.',
      'root.tags': 'Give a list.',
      'root.kind': 'Give one of a, b.',
      'root.inner': 'Give an object.',
    });
    expect(faultsOf({ name: '', count: 1, tags: [] })).toEqual({
      'root.name': 'This must not be empty.',
      'root.count': 'Give at least 2.',
      'root.tags': 'This must not be empty.',
    });
    expect(faultsOf({ name: 'long', count: 10, tags: ['', '', ''] })).toEqual({
      'root.name': 'Give at most 3 characters.',
      'root.count': 'Give at most 9.',
      'root.tags': 'Give at most 2 entries.',
    });
    expect(faultsOf({ name: 'x', count: 2.5, form: 'y' })).toEqual({
      'root.count': 'Give a whole number.',
      'root.form': 'This has another form than it can have.',
    });
  });

  it('name what is not known at its own place, each by itself', () => {
    expect(faultsOf({ name: 'x', nmae: 1, inner: { on: true, of: 1, off: 1 } })).toEqual({
      'root.nmae': 'There is nothing of this name to set.',
      'root.inner.of': 'There is nothing of this name to set.',
      'root.inner.off': 'There is nothing of this name to set.',
    });
  });

  it('leave the words of a schema that has its own', () => {
    expect(faultsOf({ name: 'x', address: 'y' })).toEqual({ 'root.address': 'It begins with x.' });
  });
});
