export { proveReadOnly, type ProofOptions, type SqlDialect } from './prove-read-only.js';
export { sqlLengthMax } from './sql-text.js';
