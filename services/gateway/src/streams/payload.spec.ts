import { describe, expect, it } from 'vitest';
import { Payload } from './payload.js';

describe('A payload', () => {
  it('is one line for who frames by lines, whatever white space a source’s own JSON has, and the same value', () => {
    const json = '{"rows":[[{"a":\n1,\r\n"b":"ž\\n"}]]}';
    const payload = new Payload(Buffer.from(json));
    expect(payload.line.toString()).not.toMatch(/[\r\n]/);
    expect(JSON.parse(payload.line.toString())).toEqual(JSON.parse(json));
    // Others are sent the same bytes as they were.
    expect(payload.text).toBe(json);
  });

  it('that is one line already is not copied', () => {
    const payload = new Payload('{"a":1}');
    expect(payload.line).toBe(payload.bytes);
  });
});
