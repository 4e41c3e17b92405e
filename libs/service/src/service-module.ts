import { Global, Module, type DynamicModule } from '@nestjs/common';
import type { ServiceRuntime } from './runtime.js';

/** What every service finds by injection: configuration, log, metrics, health, clock, Redis, bus and lifecycle. */
@Global()
@Module({})
export class ServiceModule {
  static with(providers: ServiceRuntime['providers']): DynamicModule {
    return { module: ServiceModule, providers: [...providers], exports: providers.map(({ provide }) => provide) };
  }
}
