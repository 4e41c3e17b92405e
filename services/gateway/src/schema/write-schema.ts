import { printServedSchema } from './print-served-schema.js';

// Run by `npm run generate`, which keeps what is written here in services/gateway/schema.graphql.
process.stdout.write(printServedSchema());
