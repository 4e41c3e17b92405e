import { AppError } from '#libs/kernel';

export function accountNotFound(path: readonly string[]): AppError {
  return new AppError('auth.service_account_not_found', 'There is no such service account.', { path });
}
