import { Injectable } from '@nestjs/common';
import type { MessageContext } from '#libs/bus';
import { InjectConfig } from '#libs/config';
import type { ResponseOf, runRequests } from '#libs/contracts';
import type { Principal } from '#libs/identity';
import { MetadataClient } from '../source/metadata.client.js';
import { queueRules } from '../dispatch/queue-rules.js';
import type { OrchestratorConfig } from '../orchestrator.config.js';
import { QuotaRepository } from './quota.repository.js';

type Quota = ResponseOf<typeof runRequests.getQuotas>['quotas'][number];

const scopes = [
  { scope: 'USER', name: 'user' },
  { scope: 'WORKSPACE', name: 'workspace' },
] as const;
const kinds = [
  { kind: 'EXECUTIONS', name: 'executions' },
  { kind: 'SECONDS', name: 'seconds' },
  { kind: 'ROWS', name: 'rows' },
  { kind: 'BYTES', name: 'bytes' },
] as const;

@Injectable()
export class QuotaService {
  constructor(
    private readonly repository: QuotaRepository,
    private readonly metadata: MetadataClient,
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  /** None of a guest: what counts is the use of who has let it in, which is not for the guest's eyes. */
  async quotasOf({ workspaceId, userId, guest }: Principal, context: MessageContext): Promise<Quota[]> {
    if (guest) return [];
    const [usage, settings] = await Promise.all([
      this.repository.usageOf(workspaceId, userId),
      this.metadata.getWorkspaceSettings(context),
    ]);
    const { quotas } = queueRules(this.config, settings);
    return scopes.flatMap(({ scope, name }) =>
      kinds.map(({ kind, name: of }) => ({
        scope,
        kind,
        limit: quotas[name][of],
        used: Math.floor(usage[name][of]),
        resetsAt: usage.resetsAt,
      })),
    );
  }
}
