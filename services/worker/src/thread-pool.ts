/**
 * DuckDB's statements hold a thread of Node's pool for as long as they run, and writing pages, packing them and looking
 * up hosts need threads of the same pool. The default of four would let four long statements stop everything else.
 */
const threads = 32;

// Node takes the size from the environment alone, when the pool is first used. This is not a setting of ours, and one
// that the operator has made stays.
// eslint-disable-next-line no-restricted-properties -- see above
process.env['UV_THREADPOOL_SIZE'] ??= String(threads);
