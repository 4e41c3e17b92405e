import { describe, expect, it } from 'vitest';
import { parseDatabaseUrl } from './database-url.js';

const port = 5432;

describe('The address of a database', () => {
  it.each([
    ['postgresql://u:p%40@h/d', [{ host: 'h', port }]],
    ['postgres://u@h:1/d?sslmode=require', [{ host: 'h', port: 1 }]],
    ['postgresql:///d', [{ host: 'localhost', port }]],
    ['postgresql://u@%2Ftmp%2Fsocket:6/d', [{ host: '/tmp/socket', port: 6 }]],
    ['postgresql://[::1]:7/d', [{ host: '::1', port: 7 }]],
  ])('with one server stays as it is: %s', (text, hosts) => {
    expect(parseDatabaseUrl(text)).toEqual({ single: text, hosts, target: undefined });
  });

  it('names several servers, each with a port of its own', () => {
    expect(parseDatabaseUrl('postgresql://u:p@a:1,b,[::1]:3/d?sslmode=verify-full')).toEqual({
      single: 'postgresql://u:p@a:1/d?sslmode=verify-full',
      hosts: [
        { host: 'a', port: 1 },
        { host: 'b', port },
        { host: '::1', port: 3 },
      ],
      target: undefined,
    });
  });

  it('says which of them will do, and keeps that from the driver, which does not know it', () => {
    const parsed = parseDatabaseUrl('postgresql://a,b/d?target_session_attrs=primary&sslmode=require');
    expect(parsed).toMatchObject({ single: 'postgresql://a/d?sslmode=require', target: 'read-write' });
    expect(parseDatabaseUrl('postgresql://a/d?target_session_attrs=standby')?.target).toBe('standby');
  });

  it.each(['', 'http://a/d', 'postgresql://a,,b/d', 'postgresql://a:x,b/d', 'postgresql://a:1,b:99999/d'])(
    'is refused where it is none: %s',
    (text) => expect(parseDatabaseUrl(text)).toBeUndefined(),
  );

  it('is refused with a target that is not known, rather than to write to a standby', () => {
    expect(parseDatabaseUrl('postgresql://a,b/d?target_session_attrs=prefer-standby')).toBeUndefined();
  });
});
