import type { Fault } from './examination.js';

/** Of a service's own schema: what of its release is not there yet. */
export function migrationFaults(schema: string, known: readonly string[], applied: readonly string[]): Fault[] {
  const missing = known.filter((name) => !applied.includes(name));
  if (missing.length === 0) return [];
  return [
    {
      severity: 'CRITICAL',
      what: `${missing.length} migrations of ${schema} are not applied: ${missing.slice(0, 3).join(', ')}.`,
      why: 'The service asks for tables and columns that are not there.',
      mend: `systemctl restart sluice-${schema}: it migrates as it starts, and its log says what holds it up`,
    },
  ];
}
