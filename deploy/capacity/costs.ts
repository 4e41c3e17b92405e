import { readFileSync } from 'node:fs';
import { z } from 'zod';

const positive = z.number().nonnegative();
const byProcess = z.strictObject({
  gateway: positive,
  auth: positive,
  metadata: positive,
  orchestrator: positive,
  worker: positive,
  results: positive,
  postgres: positive,
  'redis-broker': positive,
  'redis-cache': positive,
});
const byKind = <T extends z.ZodType>(of: T) => z.strictObject({ hit: of, run: of });

const capacityCosts = z.strictObject({
  measured: z.strictObject({ on: z.string(), machine: z.string() }),
  /** Processor time of each process for one question. */
  cpuSeconds: byKind(byProcess),
  /** From question to answer where nothing else goes on, the time at the source apart. */
  aloneSeconds: byKind(positive),
  /** How long a run holds its slot beyond its time at the source. */
  slotOverheadSeconds: positive,
  /** What the record of one question takes in PostgreSQL with its indexes. */
  postgresBytes: byKind(positive),
  redis: z.strictObject({
    /** Of the broker before the measured runs. */
    brokerBytes: positive,
    /** What a run leaves there until its events are trimmed. */
    brokerBytesPerRun: positive,
    connectionsPerProcess: positive,
  }),
  /** Resident after the measured load. */
  memoryMb: z.record(z.string(), positive),
});

/** What a question costs, as `npm run bench:capacity` measures it. */
export type CapacityCosts = z.infer<typeof capacityCosts>;
export type ProcessName = keyof CapacityCosts['cpuSeconds']['hit'];

/** @throws Error where the file is none of costs */
export function readCosts(path: string | URL = new URL('costs.json', import.meta.url)): CapacityCosts {
  const parsed = capacityCosts.safeParse(JSON.parse(readFileSync(path, 'utf8')));
  if (parsed.success) return parsed.data;
  throw new Error(`${path instanceof URL ? path.pathname : path} holds no costs:\n${z.prettifyError(parsed.error)}`);
}
