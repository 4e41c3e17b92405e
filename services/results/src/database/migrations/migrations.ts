import { CreateResults1795219200000 } from './1795219200000-create-results.js';
import { StoredBytes1795350000000 } from './1795350000000-stored-bytes.js';
import { KeptBytes1797060000000 } from './1797060000000-kept-bytes.js';

/** Oldest first. */
export const migrations = [CreateResults1795219200000, StoredBytes1795350000000, KeptBytes1797060000000];
