export { databaseModule } from './database.module.js';
export { type DatabaseSettings } from './connection/data-source-options.js';
export { InboxEntity } from './inbox/inbox.entity.js';
export { InboxRepository } from './inbox/inbox.repository.js';
export { createMessageTables, dropMessageTables } from './message-tables.js';
export { OutboxEntity } from './outbox/outbox.entity.js';
export { OutboxRepository, type EventContext } from './outbox/outbox.repository.js';
export { OutboxStore, type OutboxBacklog, type OutboxMessage } from './outbox/outbox.store.js';
export { escapeLike } from './pagination/escape-like.js';
export { parsePage, toPage, type Page, type ParsedPage } from './pagination/page.js';
export {
  isConnectionFault,
  isForeignKeyViolation,
  isSerializationFailure,
  isUniqueViolation,
  postgresCode,
} from './postgres-errors.js';
export { quoteIdentifier } from './quote-identifier.js';
export { inTransaction, type TransactionOptions } from './transaction.js';
