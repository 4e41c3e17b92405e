import 'reflect-metadata';
// First of our own: it must come before anything uses the pool that it sizes.
import './thread-pool.js';
import { bootstrap } from '#libs/service';
import { workerConfig } from './worker.config.js';
import { WorkerModule } from './worker.module.js';

await bootstrap({ name: 'worker', config: workerConfig, module: WorkerModule });
