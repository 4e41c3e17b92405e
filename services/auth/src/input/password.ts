import type { Issues } from './issues.js';

const lengthMin = 12;
/** Longer ones add nothing and cost time. */
export const passwordBytesMax = 1_024;

export function checkNewPassword(password: string, path: readonly string[], issues: Issues): void {
  if ([...password].length < lengthMin) issues.add(path, `A password has at least ${lengthMin} characters.`);
  else if (Buffer.byteLength(password) > passwordBytesMax) issues.add(path, 'This password is too long.');
}
