/** The pool of workers that every source uses. A source must never be served by two pools: its limit is counted under the lock of one. */
export const defaultPool = 'default';
