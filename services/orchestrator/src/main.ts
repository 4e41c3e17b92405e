import 'reflect-metadata';
import { bootstrap } from '#libs/service';
import { orchestratorConfig } from './orchestrator.config.js';
import { OrchestratorModule } from './orchestrator.module.js';

await bootstrap({ name: 'orchestrator', config: orchestratorConfig, module: OrchestratorModule });
