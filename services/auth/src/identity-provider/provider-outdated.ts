import { AppError } from '#libs/kernel';

/** A provider was changed, disabled or deleted since it was opened. Nothing has been done: it can be opened anew. */
export class ProviderOutdated extends AppError {
  constructor() {
    super('sso.provider_changed', 'The identity provider was changed meanwhile. Sign in again.', { retryable: true });
  }
}
