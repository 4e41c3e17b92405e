import { fileURLToPath } from 'node:url';

/** The folder of the bundled real data. */
export const dataDirectory = fileURLToPath(new URL('../../node_modules/vega-datasets/data', import.meta.url));

/** 3,000,000 flights in the United States in 2001. */
export const flightsFile = `${dataDirectory}/flights-3m.parquet`;
/** The airports that they used. */
export const airportsFile = `${dataDirectory}/airports.csv`;
