/** The token under which the Clock of a process is provided. */
export const CLOCK = Symbol.for('sluice.clock');
