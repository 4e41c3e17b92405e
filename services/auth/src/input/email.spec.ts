import { describe, expect, it } from 'vitest';
import { normalizeEmail } from './email.js';

describe('an email address', () => {
  it.each([
    ['Ann@Example.COM', 'ann@example.com'],
    ['  ann+tag@example.com ', 'ann+tag@example.com'],
    ['ann@bücher.example', 'ann@xn--bcher-kva.example'],
    ['admin@localhost', 'admin@localhost'],
    ['jösé@example.com', 'jösé@example.com'],
  ])('%j is kept as %j', (text, email) => {
    expect(normalizeEmail(text)).toBe(email);
  });

  it.each([
    '',
    '@',
    'ann',
    'ann@',
    '@example.com',
    'ann@exa mple.com',
    'a nn@example.com',
    'ann@@example.com',
    'ann@example..com',
    'ann@-example.com',
    'ann\n@example.com',
    'ann\0@example.com',
    'ann@example.com,bob@example.com',
    `${'a'.repeat(65)}@example.com`,
    `ann@${'a'.repeat(64)}.com`,
    `ann@${'a.'.repeat(130)}com`,
  ])('%j is none', (text) => {
    expect(normalizeEmail(text)).toBeUndefined();
  });
});
