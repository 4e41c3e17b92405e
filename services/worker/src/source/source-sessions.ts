import { Injectable } from '@nestjs/common';
import type { SourceConnection } from '#libs/contracts';
import { newId } from '#libs/kernel';
import { ConnectorRegistry } from '../connector/connector-registry.js';
import type { SessionPurpose, SourceSession } from '../connector/connector.js';
import { SourceOpener } from './source-opener.js';

/** Sessions for questions about statements that are no runs. */
@Injectable()
export class SourceSessions {
  constructor(
    private readonly connectors: ConnectorRegistry,
    private readonly opener: SourceOpener,
  ) {}

  /**
   * A session for as long as `work` takes.
   * @param signal fires when nobody waits for the answer any more
   */
  async use<T>(
    source: SourceConnection,
    { submittedById, timeoutMs }: Pick<SessionPurpose, 'submittedById' | 'timeoutMs'>,
    signal: AbortSignal,
    work: (session: SourceSession) => Promise<T>,
  ): Promise<T> {
    const connector = await this.connectors.get(source.type);
    const purpose = { runId: newId('request'), workspaceId: source.workspaceId, submittedById, timeoutMs };
    const session = await connector.open(this.opener.open(source), purpose);
    const stop = (): void => void session.cancel().catch(() => undefined);
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await work(session);
    } finally {
      signal.removeEventListener('abort', stop);
      await session.close();
    }
  }
}
