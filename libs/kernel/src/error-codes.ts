/** The codes of `contract/core.graphql`, and what was added to them; no other code leaves the gateway. */
export type PublicErrorCode =
  | 'INVALID_INPUT'
  | 'PARAMETER_MISSING'
  | 'PARAMETER_INVALID'
  | 'SQL_NOT_READ_ONLY'
  | 'SQL_REJECTED'
  | 'UNAUTHENTICATED'
  | 'SECOND_FACTOR_REQUIRED'
  | 'SECOND_FACTOR_SETUP_REQUIRED'
  | 'NOT_FOUND'
  | 'FORBIDDEN'
  | 'CONFLICT'
  | 'RATE_LIMITED'
  | 'QUOTA_EXCEEDED'
  | 'DATA_SOURCE_UNAVAILABLE'
  | 'QUERY_FAILED'
  | 'TIMED_OUT'
  | 'RESULT_TOO_LARGE'
  | 'RESULT_EXPIRED'
  | 'RESULT_CORRUPT'
  | 'RESULT_STORE_UNAVAILABLE'
  | 'WORKER_LOST'
  | 'UNKNOWN_OUTCOME'
  | 'INTERNAL';

/** Every internal code, `<area>.<reason>`, with what callers are told. The only place where codes are declared. */
export const errorCodes = {
  'input.invalid': 'INVALID_INPUT',
  'input.cursor_invalid': 'INVALID_INPUT',
  'input.too_large': 'INVALID_INPUT',

  'auth.unauthenticated': 'UNAUTHENTICATED',
  'auth.credentials_wrong': 'UNAUTHENTICATED',
  'auth.second_factor_required': 'SECOND_FACTOR_REQUIRED',
  'auth.second_factor_setup_required': 'SECOND_FACTOR_SETUP_REQUIRED',
  'auth.second_factor_wrong': 'UNAUTHENTICATED',
  'auth.token_expired': 'UNAUTHENTICATED',
  'auth.token_revoked': 'UNAUTHENTICATED',
  'auth.password_token_wrong': 'INVALID_INPUT',
  'auth.throttled': 'RATE_LIMITED',
  'auth.forbidden': 'FORBIDDEN',
  'auth.user_not_found': 'NOT_FOUND',
  'auth.group_not_found': 'NOT_FOUND',
  'auth.session_not_found': 'NOT_FOUND',
  'auth.api_key_not_found': 'NOT_FOUND',
  'auth.workspace_not_found': 'NOT_FOUND',
  'auth.email_taken': 'CONFLICT',
  'auth.role_not_found': 'NOT_FOUND',
  'auth.service_account_not_found': 'NOT_FOUND',
  'auth.in_use': 'CONFLICT',

  'identity_provider.not_found': 'NOT_FOUND',
  // The sign-in through a provider failed: told to a browser on one plain page, by its code.
  'sso.request_invalid': 'INVALID_INPUT',
  'sso.return_refused': 'INVALID_INPUT',
  'sso.state_wrong': 'UNAUTHENTICATED',
  'sso.answer_refused': 'UNAUTHENTICATED',
  'sso.provider_changed': 'UNAUTHENTICATED',
  'sso.provider_refused': 'UNAUTHENTICATED',
  'sso.provider_unavailable': 'UNAUTHENTICATED',
  'sso.email_missing': 'UNAUTHENTICATED',
  'sso.domain_refused': 'UNAUTHENTICATED',
  'sso.account_exists': 'UNAUTHENTICATED',
  'sso.user_disabled': 'UNAUTHENTICATED',

  'entity.conflict': 'CONFLICT',
  'entity.name_taken': 'CONFLICT',

  'source.not_found': 'NOT_FOUND',
  'source.paused': 'DATA_SOURCE_UNAVAILABLE',
  'source.unavailable': 'DATA_SOURCE_UNAVAILABLE',
  'source.credentials_wrong': 'DATA_SOURCE_UNAVAILABLE',
  'source.in_use': 'CONFLICT',
  'saved_query.not_found': 'NOT_FOUND',
  'row_policy.not_found': 'NOT_FOUND',
  'grant.not_found': 'NOT_FOUND',
  'asset.not_found': 'NOT_FOUND',

  'parameter.missing': 'PARAMETER_MISSING',
  'parameter.invalid': 'PARAMETER_INVALID',
  // For the gateway alone, which asks the options queries named in details and comes back with what they answer.
  'parameter.options_needed': 'INTERNAL',
  // The caller has no such attribute. Where a row policy asks for it, there are no rows.
  'parameter.attribute_absent': 'PARAMETER_MISSING',

  'sql.not_read_only': 'SQL_NOT_READ_ONLY',
  'sql.rejected': 'SQL_REJECTED',
  'sql.too_long': 'INVALID_INPUT',

  'run.idempotency_conflict': 'CONFLICT',
  'run.not_found': 'NOT_FOUND',
  'worker.not_found': 'NOT_FOUND',
  'run.query_failed': 'QUERY_FAILED',
  'run.too_expensive': 'FORBIDDEN',
  'run.estimate_hidden': 'FORBIDDEN',
  'run.sample_unsound': 'INVALID_INPUT',
  'run.timed_out': 'TIMED_OUT',
  'run.worker_lost': 'WORKER_LOST',
  'run.rate_limited': 'RATE_LIMITED',
  'run.queue_full': 'RATE_LIMITED',
  'run.quota_exceeded': 'QUOTA_EXCEEDED',

  'result.not_found': 'NOT_FOUND',
  'result.expired': 'RESULT_EXPIRED',
  'result.too_large': 'RESULT_TOO_LARGE',
  'result.corrupt': 'RESULT_CORRUPT',
  'result.store_unavailable': 'RESULT_STORE_UNAVAILABLE',
  // The same to callers; an operator has another thing to do.
  'result.store_full': 'RESULT_STORE_UNAVAILABLE',

  'download.address_invalid': 'FORBIDDEN',
  'download.too_many': 'RATE_LIMITED',

  'webhook.not_found': 'NOT_FOUND',
  'webhook.not_enabled': 'CONFLICT',

  'audit.forwarder_not_found': 'NOT_FOUND',

  'bus.timeout': 'INTERNAL',
  'bus.unavailable': 'INTERNAL',
  'bus.unknown_outcome': 'UNKNOWN_OUTCOME',
  'bus.unimplemented': 'INTERNAL',
  'bus.malformed': 'INTERNAL',

  'secret.unreadable': 'INTERNAL',
  internal: 'INTERNAL',
} as const satisfies Record<string, PublicErrorCode>;

export type ErrorCode = keyof typeof errorCodes;

export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(errorCodes, value);
}

export function toPublicErrorCode(code: ErrorCode): PublicErrorCode {
  return errorCodes[code];
}
