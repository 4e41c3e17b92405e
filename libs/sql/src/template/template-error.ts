import type { AppError } from '#libs/kernel';
import { placeOf, rejected } from '../sql-text.js';

/** A template that is refused: why, and at which line and column of it. */
export function templateError(text: string, at: number, message: string): AppError {
  return rejected(message, placeOf(text, [...text.slice(0, at)].length));
}
