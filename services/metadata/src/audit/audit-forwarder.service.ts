import { Injectable } from '@nestjs/common';
import type { AuditForwarder, auditRequests, RequestOf, ResponseOf } from '#libs/contracts';
import { parsePage, toPage } from '#libs/database';
import { sealText } from '#libs/encryption';
import { newId } from '#libs/kernel';
import { newWebhookSecret, ReceiverClient } from '#libs/receivers';
import type { Caller } from '../caller.js';
import { Issues } from '../input/issues.js';
import { checkName, checkSearchText } from '../input/text.js';
import { DataKeyClient } from '../secret/data-key.client.js';
import { AuditForwarderRepository } from './audit-forwarder.repository.js';

type Requests = typeof auditRequests;

const forwardersMax = 10;
const urlMax = 2_000;
const kinds: Readonly<Record<string, 'WEBHOOK' | 'SYSLOG'>> = {
  'https:': 'WEBHOOK',
  'http:': 'WEBHOOK',
  'syslog+tls:': 'SYSLOG',
  'syslog+tcp:': 'SYSLOG',
};
const encrypted = ['https:', 'syslog+tls:'];
const plain =
  'What url names is not encrypted: use https:// or syslog+tls://. An operator may allow plain receivers inside by SLUICE_METADATA_AUDIT_ALLOWED_NETWORKS.';
const refusedAddress =
  'The audit log is forwarded to public addresses only; an operator may allow the networks of receivers inside by SLUICE_METADATA_AUDIT_ALLOWED_NETWORKS.';

/** Where the audit log is forwarded to, for those who manage that. */
@Injectable()
export class AuditForwarderService {
  constructor(
    private readonly forwarders: AuditForwarderRepository,
    private readonly receivers: ReceiverClient,
    private readonly dataKeys: DataKeyClient,
  ) {}

  async list(
    input: RequestOf<Requests['listAuditForwarders']>,
    { workspaceId }: Caller,
  ): Promise<ResponseOf<Requests['listAuditForwarders']>> {
    const issues = new Issues();
    const search = checkSearchText(input.search, issues);
    issues.throwIfAny();
    const page = parsePage(input.page, 'auditForwarders', { workspaceId, search: search ?? null });
    const { rows, totalCount } = await this.forwarders.list(workspaceId, search, page);
    const { rows: forwarders, cursors, pageInfo } = toPage(rows, page, ({ id }) => [id]);
    return { forwarders, cursors, pageInfo, totalCount };
  }

  /** The secret of a webhook is in the answer and nowhere else. */
  async create(
    input: RequestOf<Requests['createAuditForwarder']>,
    { workspaceId, userId }: Caller,
  ): Promise<ResponseOf<Requests['createAuditForwarder']>> {
    const issues = new Issues();
    const name = checkName(input.name, issues);
    const url = await this.checkUrl(input.url, issues);
    issues.throwIfAny();
    const id = newId('auditForwarder');
    const kind = kinds[url.protocol] ?? 'WEBHOOK';
    const secret = kind === 'WEBHOOK' ? newWebhookSecret() : undefined;
    const sealed = secret && sealText(secret, await this.dataKeys.get(workspaceId), `${workspaceId}/${id}`);
    const row = { id, workspaceId, name, kind, url: url.href, secret: sealed, createdById: userId };
    const forwarder = await this.forwarders.insert({ ...row, fromBeginning: input.fromBeginning }, forwardersMax);
    return { forwarder, secret };
  }

  async update(input: RequestOf<Requests['updateAuditForwarder']>, { workspaceId }: Caller): Promise<AuditForwarder> {
    const issues = new Issues();
    const name = input.name === undefined ? undefined : checkName(input.name, issues);
    issues.throwIfAny();
    return this.forwarders.update({ workspaceId, id: input.id }, input.version, { name, enabled: input.enabled });
  }

  async delete(id: string, { workspaceId }: Caller): Promise<void> {
    await this.forwarders.delete(workspaceId, id);
  }

  private async checkUrl(text: string, issues: Issues): Promise<URL> {
    const refuse = (message: string): URL => {
      issues.add(['url'], message);
      return new URL('https://invalid.example');
    };
    if (text.length > urlMax || !URL.canParse(text)) return refuse(`url must be one of at most ${urlMax} characters.`);
    const url = new URL(text);
    const kind = kinds[url.protocol];
    if (!kind) return refuse('url must begin with https://, syslog+tls:// or syslog+tcp://.');
    if (url.username !== '' || url.password !== '' || url.hash !== '') {
      return refuse('url must hold no user, no password and no fragment.');
    }
    if (kind === 'SYSLOG' && (url.hostname === '' || url.port === '')) return refuse('url must name host and port.');
    if (await this.receivers.isRefused(url)) return refuse(refusedAddress);
    if (!encrypted.includes(url.protocol) && !this.receivers.allowsPlainHttp) return refuse(plain);
    return url;
  }
}
