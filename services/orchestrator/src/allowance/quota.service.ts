import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import type { ResponseOf, runRequests } from '#libs/contracts';
import type { Principal } from '#libs/identity';
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
    @InjectConfig() private readonly config: OrchestratorConfig,
  ) {}

  async quotasOf({ workspaceId, userId }: Principal): Promise<Quota[]> {
    const usage = await this.repository.usageOf(workspaceId, userId);
    const { quotas } = queueRules(this.config);
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
