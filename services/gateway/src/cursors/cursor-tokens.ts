import type { z } from 'zod';
import { AppError } from '#libs/kernel';
import type { CursorKeys } from './cursor-keys.js';

/** The longest token that is looked at; ours are far shorter. */
const lengthMax = 1_024;

/** Tokens of one kind: a short JSON array and its authentication, opaque to whoever carries it. */
export class CursorTokens<T extends readonly unknown[]> {
  constructor(
    private readonly keys: CursorKeys,
    private readonly purpose: string,
    /** What its cursors are given for, as callers know it. */
    private readonly place: string,
    private readonly schema: z.ZodType<T>,
  ) {}

  encode(value: T): string {
    const payload = Buffer.from(JSON.stringify(value)).toString('base64url');
    return `${payload}.${this.keys.sign(this.purpose, payload).toString('base64url')}`;
  }

  /**
   * @throws AppError input.cursor_invalid for what encode did not make, and for what `belongs` refuses: a cursor of
   * another list is as invalid as a forged one
   */
  decode(token: string, path: string, belongs: (value: T) => boolean): T {
    const value = this.open(token);
    if (value === undefined || !belongs(value)) {
      throw new AppError('input.cursor_invalid', `The cursor in ${path} was not given for this ${this.place}.`, {
        path: [path],
      });
    }
    return value;
  }

  private open(token: string): T | undefined {
    const [payload, mac, ...rest] = token.length > lengthMax ? [] : token.split('.');
    if (payload === undefined || mac === undefined || rest.length > 0) return undefined;
    if (!this.keys.verify(this.purpose, payload, Buffer.from(mac, 'base64url'))) return undefined;
    // What is authentic is ours, but it may come from a release with another shape.
    const parsed = this.schema.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
    return parsed.success ? parsed.data : undefined;
  }
}
