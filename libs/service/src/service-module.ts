import { Global, Module, type DynamicModule, type Provider } from '@nestjs/common';

/** What every service finds by injection: configuration, log, metrics, health, clock, Redis, bus and lifecycle. */
@Global()
@Module({})
export class ServiceModule {
  static with(providers: readonly Provider[]): DynamicModule {
    // A provider given as an object names its token; a class is its own.
    const tokens = providers.map((provider) => (typeof provider === 'function' ? provider : provider.provide));
    return { module: ServiceModule, providers: [...providers], exports: tokens };
  }
}
