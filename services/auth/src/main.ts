import 'reflect-metadata';
import { bootstrap } from '#libs/service';
import { authConfig } from './auth.config.js';
import { AuthModule } from './auth.module.js';

await bootstrap({ name: 'auth', config: authConfig, module: AuthModule });
