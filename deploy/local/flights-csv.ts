// Writes the bundled flights and airports as CSV, in a process of its own: DuckDB would stay in the launcher's memory.
// Arguments: the file for the flights; the airports go beside it, with the ending .airports.
import { DuckDBInstance } from '@duckdb/node-api';
import { airportsFile, flightsFile } from './bundled-data.ts';

const [file = ''] = process.argv.slice(2);
const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
const connection = await instance.connect();
await connection.run(`copy (select * from '${flightsFile}') to '${file}' (format csv, header false)`);
await connection.run(`copy (select * from '${airportsFile}') to '${file}.airports' (format csv, header false)`);
connection.closeSync();
instance.closeSync();
