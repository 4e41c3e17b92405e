import type { Logger } from 'typeorm';
import type { AppLogger } from '#libs/telemetry';

/** TypeORM's words in our log: slow statements and warnings, never a bound value. Failed statements are thrown anyway. */
export class QueryLogger implements Logger {
  constructor(private readonly logger: AppLogger) {}

  logQuery(): void {
    // Every statement would be too much, and its values may be secret.
  }

  logQueryError(): void {
    // The error is thrown to whoever asked, who logs it.
  }

  logQuerySlow(durationMs: number, query: string): void {
    this.logger.warn({ durationMs: Math.round(durationMs), query }, 'a slow statement');
  }

  logSchemaBuild(message: string): void {
    this.logger.debug({}, message);
  }

  logMigration(message: string): void {
    this.logger.info({}, message);
  }

  log(level: 'log' | 'info' | 'warn', message: unknown): void {
    this.logger[level === 'warn' ? 'warn' : 'debug']({}, String(message));
  }
}
