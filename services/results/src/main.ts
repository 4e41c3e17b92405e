import 'reflect-metadata';
import { bootstrap } from '#libs/service';
import { resultsConfig } from './results.config.js';
import { ResultsModule } from './results.module.js';

await bootstrap({ name: 'results', config: resultsConfig, module: ResultsModule });
