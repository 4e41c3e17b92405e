import type { LoggerService } from '@nestjs/common';
import type { AppLogger } from '#libs/telemetry';

/** Sends Nest's own lines into our log; its chatter about modules and routes is for debugging. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: AppLogger) {}

  log(message: unknown, context?: string): void {
    this.logger.debug({ context }, String(message));
  }

  warn(message: unknown, context?: string): void {
    this.logger.warn({ context }, String(message));
  }

  error(message: unknown, stackOrContext?: string): void {
    this.logger.error(
      message instanceof Error ? { err: message } : { stack: stackOrContext },
      message instanceof Error ? message.message : String(message),
    );
  }

  debug(message: unknown, context?: string): void {
    this.logger.debug({ context }, String(message));
  }

  verbose(message: unknown, context?: string): void {
    this.logger.debug({ context }, String(message));
  }

  fatal(message: unknown, context?: string): void {
    this.logger.error({ context }, String(message));
  }
}
