import { AppError } from '#libs/kernel';

const textPath = ['query', 'sql', 'text'];

/** @throws AppError `sql.too_long`, or `input.invalid` for no text at all */
export function checkSqlText(text: string, bytesMax: number): void {
  if (Buffer.byteLength(text) > bytesMax) {
    throw new AppError('sql.too_long', `The SQL text may have at most ${bytesMax} bytes.`, { path: textPath });
  }
  if (text.trim() === '') throw new AppError('input.invalid', 'The SQL text is empty.', { path: textPath });
}
