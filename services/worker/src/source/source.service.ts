import { Injectable } from '@nestjs/common';
import type { SourceConnection, SourceHandle, Table } from '#libs/contracts';
import { AppError } from '#libs/kernel';
import { ConnectorRegistry } from '../connector/connector-registry.js';
import { SourceOpener } from './source-opener.js';

/** The questions about a source that are no runs. */
@Injectable()
export class SourceService {
  constructor(
    private readonly connectors: ConnectorRegistry,
    private readonly opener: SourceOpener,
  ) {}

  async test(source: SourceConnection): Promise<{ latencyMs: number; serverVersion: string }> {
    const connector = await this.connectors.get(source.type);
    const begin = performance.now();
    const serverVersion = await connector.test(this.opener.open(source));
    return { latencyMs: performance.now() - begin, serverVersion };
  }

  async readSchema(source: SourceConnection): Promise<Table[]> {
    return (await this.connectors.get(source.type)).readSchema(this.opener.open(source));
  }

  async cancel(source: SourceConnection, handle: SourceHandle): Promise<boolean> {
    return (await this.connectors.get(source.type)).cancel(this.opener.open(source), handle);
  }
}

/** A request without its source is one that no service of ours sends. */
export function given<T>(value: T | undefined): T {
  if (value !== undefined) return value;
  throw new AppError('bus.malformed', 'Something went wrong on our side.', {
    internalMessage: 'a request to the worker lacks a part',
  });
}
