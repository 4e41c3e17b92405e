import type { DataSource } from 'typeorm';
import { poolOf, watchConnects } from './pool-of.js';

const faults = new WeakSet<Error>();

/** Keeps in mind why there was no connection. By itself such an error is like that of any other socket of the process. */
export function noteConnectFaults(dataSource: DataSource): void {
  watchConnects(poolOf(dataSource), () => (error) => {
    if (error) faults.add(error);
  });
}

/** Whether the database's pool had no connection to give. */
export function isConnectFault(error: unknown): boolean {
  return error instanceof Error && faults.has(error);
}
