export { askServices } from './ask-services.js';
export { checkPools } from './check-pools.js';
export { Examination, joinReports, type Fault } from './examination.js';
export { examineService } from './examine-service.js';
export { examinePostgres } from './postgres/examine-postgres.js';
export { type Query } from './postgres/postgres-subject.js';
export { examineRoles } from './redis/examine-roles.js';
export { thresholds } from './thresholds.js';
