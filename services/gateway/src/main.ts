import 'reflect-metadata';
import { bootstrap } from '#libs/service';
import { gatewayConfig } from './gateway.config.js';
import { GatewayModule } from './gateway.module.js';

await bootstrap({
  name: 'gateway',
  config: gatewayConfig,
  module: GatewayModule,
  http: ({ http }) => ({ host: http.host, port: http.port }),
});
