import { sharePostgresFiles } from '#libs/testing';

/** The files that all servers of a run begin with; vitest calls what this returns when the run ends. */
export async function setup(): Promise<() => Promise<void>> {
  const files = await sharePostgresFiles();
  return async () => files[Symbol.asyncDispose]();
}
