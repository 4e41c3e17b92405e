import type { PasswordTokenPurpose } from '../password/password-token.js';

/** CHANGED: the password is another now. The others bring a link. */
export type MailPurpose = PasswordTokenPurpose | 'CHANGED';
