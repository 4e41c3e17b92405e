export { AppLogger, withLogFields, type LogFields, type LogLevel } from './app-logger.js';
export { HealthRegistry, type CheckOutcome, type Readiness } from './health-registry.js';
export { MetricsRegistry } from './metrics-registry.js';
export { redact, redactText } from './redact.js';
export { startTracing, type TracingOptions } from './tracing.js';
export { shareAnswer } from './within-scrape.js';
