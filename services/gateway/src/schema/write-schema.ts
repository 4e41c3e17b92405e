import { writeFileSync } from 'node:fs';
import { printServedSchema } from './print-served-schema.js';

// Run by `npm run generate:schema` from the root of the repository.
writeFileSync('services/gateway/schema.graphql', printServedSchema());
