import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { printServedSchema } from './print-served-schema.js';

describe('the served schema', () => {
  it('is committed as it is served', () => {
    expect(readFileSync('services/gateway/schema.graphql', 'utf8')).toBe(printServedSchema());
  });
});
