import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { BusContext } from '#libs/bus';
import type { Principal } from '#libs/identity';
import type { TemplateCaller } from '#libs/sql';
import { AuthClient } from './auth.client.js';

const knownMax = 10_000;
const knownMs = 5_000;

/** Whoever asks, as templates read them. What is not known is absent, and a template that names it is refused. */
@Injectable()
export class TemplateCallers {
  private readonly emails = new LRUCache<string, string>({ max: knownMax, ttl: knownMs });

  constructor(private readonly auth: AuthClient) {}

  /** @param text the template; an address that it cannot read is not asked for */
  async callerOf(principal: Principal, text: string, context: BusContext): Promise<TemplateCaller> {
    const { userId: id, groups, apiKeyId } = principal;
    // A key has no address, whoever made it.
    const readsEmail = apiKeyId === undefined && /user\s*\.\s*email/.test(text);
    const email = readsEmail ? await this.emailOf(id, context) : undefined;
    return { id, email: email ?? null, groups, attributes: new Map() };
  }

  private async emailOf(userId: string, context: BusContext): Promise<string | undefined> {
    const known = this.emails.get(userId);
    if (known !== undefined) return known;
    const email = await this.auth.findEmail(userId, context, context.signal);
    if (email !== undefined) this.emails.set(userId, email);
    return email;
  }
}
