import { setTimeout as wait } from 'node:timers/promises';

/** What a process used of its processor while it was looked at. */
export interface ProcessUse {
  readonly url: string;
  readonly service: string;
  readonly utilization: number;
  readonly memoryMb: number;
  readonly verdict: 'too large' | 'fits' | 'too small';
}

/** Below the first a process has too much of its processor, above the second too little. */
const fits = { from: 0.3, to: 0.7 };
const timeoutMs = 5_000;

/** Reads `/metrics` of each process twice and says who has too much and who too little. One process uses one processor. */
export async function rightSize(urls: readonly string[], seconds: number): Promise<ProcessUse[]> {
  const before = await Promise.all(urls.map(readUse));
  await wait(seconds * 1_000);
  const after = await Promise.all(urls.map(readUse));
  return after.map((now, index) => {
    const then = before[index];
    if (!then || now.cpuSeconds < then.cpuSeconds) throw new Error(`${now.url} was started again meanwhile: try again`);
    const utilization = (now.cpuSeconds - then.cpuSeconds) / ((now.at - then.at) / 1_000);
    return { url: now.url, service: now.service, utilization, memoryMb: now.memoryMb, verdict: verdictOf(utilization) };
  });
}

export function verdictOf(utilization: number): ProcessUse['verdict'] {
  return utilization < fits.from ? 'too large' : utilization > fits.to ? 'too small' : 'fits';
}

async function readUse(url: string) {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) }).catch((error: Error) => {
    // What fetch itself says is that it failed.
    const reason = error.cause instanceof Error ? error.cause.message : error.message;
    throw new Error(`${url} does not answer: ${reason}`, { cause: error });
  });
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
  const text = await response.text();
  const sample = (name: string): { value: number; service: string } => {
    const found = new RegExp(`^${name}\\{([^}]*)\\} ([0-9.e+]+)$`, 'm').exec(text);
    if (!found) throw new Error(`${url} tells no ${name}: is it the /metrics of a service?`);
    return { value: Number(found[2]), service: /service="([^"]*)"/.exec(found[1] ?? '')?.[1] ?? 'unknown' };
  };
  const { value, service } = sample('process_cpu_seconds_total');
  const memoryMb = sample('process_resident_memory_bytes').value / 2 ** 20;
  return { url, at: performance.now(), cpuSeconds: value, service, memoryMb };
}
