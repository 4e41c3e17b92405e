import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesGathered, HandlesRequest, type GatheredEvent } from '#libs/bus';
import { auditRecorded, auditRequests, type EventOf, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowService } from '#libs/identity';
import { callerOf } from '../caller.js';
import { AuditChainRepository } from './audit-chain.repository.js';
import { AuditForwarderService } from './audit-forwarder.service.js';
import { AuditService } from './audit.service.js';

type Requests = typeof auditRequests;

@Controller()
export class AuditController {
  constructor(
    private readonly chains: AuditChainRepository,
    private readonly audit: AuditService,
    private readonly forwarders: AuditForwarderService,
  ) {}

  /** Of every service that writes entries: the type of their events is one. */
  @HandlesGathered(auditRecorded.auth)
  async auditRecorded(
    @Payload() events: readonly GatheredEvent<EventOf<(typeof auditRecorded)['auth']>>[],
  ): Promise<void> {
    await this.chains.append(
      events.map(({ payload: { entries }, context: { messageId, workspaceId } }) => ({
        messageId,
        workspaceId,
        entries,
      })),
    );
  }

  @HandlesRequest(auditRequests.recordAccess)
  @AllowService('gateway', 'worker')
  async recordAccess(
    @Payload() { entries }: RequestOf<Requests['recordAccess']>,
    @Ctx() { idempotencyKey, messageId }: BusContext,
  ): Promise<ResponseOf<Requests['recordAccess']>> {
    await this.audit.record(idempotencyKey ?? messageId, entries);
    return {};
  }

  @HandlesRequest(auditRequests.listAuditEntries)
  @Allow('audit.read')
  async listAuditEntries(
    @Payload() input: RequestOf<Requests['listAuditEntries']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['listAuditEntries']>> {
    return this.audit.list(input, callerOf(context));
  }

  @HandlesRequest(auditRequests.exportAuditEntries)
  @Allow('audit.read')
  async exportAuditEntries(
    @Payload() input: RequestOf<Requests['exportAuditEntries']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['exportAuditEntries']>> {
    return this.audit.export(input, callerOf(context));
  }

  @HandlesRequest(auditRequests.verifyAuditChain)
  @Allow('audit.read')
  async verifyAuditChain(
    @Payload() { afterSequence }: RequestOf<Requests['verifyAuditChain']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['verifyAuditChain']>> {
    return this.audit.verify(afterSequence, callerOf(context));
  }

  @HandlesRequest(auditRequests.updateAuditSettings)
  @Allow('audit.manage')
  async updateAuditSettings(
    @Payload() { retentionDays, keepsRetention }: RequestOf<Requests['updateAuditSettings']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['updateAuditSettings']>> {
    const caller = callerOf(context);
    if (keepsRetention) return { retentionDays: await this.audit.retentionDays(caller) };
    await this.audit.setRetention(retentionDays, caller);
    return { retentionDays };
  }

  @HandlesRequest(auditRequests.listAuditForwarders)
  @Allow('audit.manage')
  async listAuditForwarders(
    @Payload() input: RequestOf<Requests['listAuditForwarders']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['listAuditForwarders']>> {
    return this.forwarders.list(input, callerOf(context));
  }

  @HandlesRequest(auditRequests.createAuditForwarder)
  @Allow('audit.manage')
  async createAuditForwarder(
    @Payload() input: RequestOf<Requests['createAuditForwarder']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['createAuditForwarder']>> {
    return this.forwarders.create(input, callerOf(context));
  }

  @HandlesRequest(auditRequests.updateAuditForwarder)
  @Allow('audit.manage')
  async updateAuditForwarder(
    @Payload() input: RequestOf<Requests['updateAuditForwarder']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['updateAuditForwarder']>> {
    return { forwarder: await this.forwarders.update(input, callerOf(context)) };
  }

  @HandlesRequest(auditRequests.deleteAuditForwarder)
  @Allow('audit.manage')
  async deleteAuditForwarder(
    @Payload() { id }: RequestOf<Requests['deleteAuditForwarder']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['deleteAuditForwarder']>> {
    await this.forwarders.delete(id, callerOf(context));
    return { id };
  }
}
