export { AppError, toAppError, type AppErrorOptions, type Issue } from './app-error.js';
export { backoffMs, delay, type BackoffOptions } from './backoff.js';
export { changedMeanwhile } from './changed-meanwhile.js';
export { SystemClock, type Clock } from './clock.js';
export { errorCodes, isErrorCode, toPublicErrorCode, type ErrorCode, type PublicErrorCode } from './error-codes.js';
export { idKindOf, isId, newId, siblingId, type IdKind } from './ids.js';
export type { JsonObject, JsonValue } from './json.js';
export { inPlainWords, placesOf } from './schema-faults.js';
export { asWorkOf, currentWork, nameActor, type WorkActor, type WorkOrigin } from './work-origin.js';
