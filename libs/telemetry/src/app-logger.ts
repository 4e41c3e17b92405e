import { AsyncLocalStorage } from 'node:async_hooks';
import { trace } from '@opentelemetry/api';
import { pino, type DestinationStream, type Logger } from 'pino';
import { redact, redactText } from './redact.js';

/** What is known of the work at hand and stands in each of its lines. */
export interface LogFields {
  requestId?: string | undefined;
  workspaceId?: string | undefined;
  executionId?: string | undefined;
  runId?: string | undefined;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

const fieldsOfWork = new AsyncLocalStorage<LogFields>();

/** Runs `work`, and everything that it awaits, with these fields in each log line, beside those already there. */
export function withLogFields<T>(fields: LogFields, work: () => T): T {
  return fieldsOfWork.run({ ...fieldsOfWork.getStore(), ...fields }, work);
}

/** JSON lines on standard output, without secrets. `detail` may be anything; an error goes under `err`. */
export class AppLogger {
  private constructor(private readonly logger: Logger) {}

  static create(options: {
    service: string;
    instance: string;
    level: LogLevel;
    destination?: DestinationStream;
  }): AppLogger {
    const { service, instance, level, destination } = options;
    return new AppLogger(
      pino(
        {
          level,
          base: { service, instance },
          timestamp: pino.stdTimeFunctions.isoTime,
          formatters: { level: (label) => ({ level: label }) },
          serializers: { err: (error: unknown) => error },
          mixin: () => ({ ...fieldsOfWork.getStore(), ...traceFields() }),
        },
        destination ?? pino.destination({ dest: 1, sync: false, minLength: 0 }),
      ),
    );
  }

  child(detail: Readonly<Record<string, unknown>>): AppLogger {
    return new AppLogger(this.logger.child(redact(detail) as Record<string, unknown>));
  }

  debug(detail: Readonly<Record<string, unknown>>, message: string): void {
    this.write('debug', detail, message);
  }

  info(detail: Readonly<Record<string, unknown>>, message: string): void {
    this.write('info', detail, message);
  }

  warn(detail: Readonly<Record<string, unknown>>, message: string): void {
    this.write('warn', detail, message);
  }

  error(detail: Readonly<Record<string, unknown>>, message: string): void {
    this.write('error', detail, message);
  }

  setLevel(level: LogLevel): void {
    this.logger.level = level;
  }

  flush(): void {
    this.logger.flush();
  }

  private write(level: 'debug' | 'info' | 'warn' | 'error', detail: object, message: string): void {
    if (!this.logger.isLevelEnabled(level)) return;
    this.logger[level](redact(detail), redactText(message));
  }
}

function traceFields(): { traceId?: string } {
  const context = trace.getActiveSpan()?.spanContext();
  return context ? { traceId: context.traceId } : {};
}
