import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { PATTERN_HANDLER_METADATA } from '@nestjs/microservices/constants.js';
import { PatternHandler } from '@nestjs/microservices/enums/pattern-handler.enum.js';
import { accessRuleOf } from './access-rule.js';

/** Refuses to start a service in which a handler of a request does not say who may send it. */
@Injectable()
export class AccessCheck implements OnModuleInit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  onModuleInit(): void {
    const faults = this.discovery
      .getControllers()
      .flatMap(({ metatype }) => (metatype ? this.unruledHandlersOf(metatype) : []));
    if (faults.length > 0) throw new Error(`These handlers do not say who may ask: ${faults.join(', ')}`);
  }

  private unruledHandlersOf(controller: { name: string; prototype?: unknown }): string[] {
    const { prototype } = controller;
    if (typeof prototype !== 'object' || prototype === null) return [];
    return this.scanner
      .getAllMethodNames(prototype)
      .filter((name) => {
        const method: unknown = Reflect.get(prototype, name);
        if (typeof method !== 'function') return false;
        const kind: unknown = Reflect.getMetadata(PATTERN_HANDLER_METADATA, method);
        return kind === PatternHandler.MESSAGE && !accessRuleOf(method);
      })
      .map((name) => `${controller.name}.${name}`);
  }
}
