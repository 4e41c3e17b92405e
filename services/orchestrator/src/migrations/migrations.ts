import { CreateOrchestrator1795219300000 } from './1795219300000-create-orchestrator.js';
import { AcceptInOneStatement1795240000000 } from './1795240000000-accept-in-one-statement.js';

/** Oldest first. */
export const migrations = [CreateOrchestrator1795219300000, AcceptInOneStatement1795240000000];
