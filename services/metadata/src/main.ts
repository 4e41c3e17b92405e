import 'reflect-metadata';
import { bootstrap } from '#libs/service';
import { metadataConfig } from './metadata.config.js';
import { MetadataModule } from './metadata.module.js';

await bootstrap({ name: 'metadata', config: metadataConfig, module: MetadataModule });
