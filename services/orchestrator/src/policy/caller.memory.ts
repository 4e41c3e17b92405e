import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { MessageContext } from '#libs/bus';
import type { Principal } from '#libs/identity';
import { AppError } from '#libs/kernel';
import type { PolicyCaller } from '#libs/sql';
import { AuthClient } from '../plan/auth.client.js';
import { toAttributes } from './attributes.js';

const callersMax = 10_000;
const keptMsMax = 60_000;

/**
 * What row policies read of a caller, as auth has it, kept for one access token: a change of a user's attributes or groups
 * revokes the tokens from before, so what is kept for a token that is still good is true. An API key's are its maker's.
 */
@Injectable()
export class CallerMemory {
  private readonly known = new LRUCache<string, PolicyCaller>({ max: callersMax, ttl: keptMsMax });

  constructor(private readonly auth: AuthClient) {}

  /** Undefined where auth knows nobody of that id any more. */
  async get(principal: Principal, context: MessageContext, signal: AbortSignal): Promise<PolicyCaller | undefined> {
    const { guest } = principal;
    if (guest) {
      // Its token says all of it.
      const attributes = toAttributes(guest.attributes);
      return { id: principal.userId, email: null, groupNames: principal.groups, attributes };
    }
    const { actor } = context;
    if (actor.case !== 'accessToken') return undefined;
    const known = this.known.get(actor.value);
    if (known) return known;
    const viewer = await this.auth.getViewer(context, signal).catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'auth.user_not_found') return undefined;
      throw error;
    });
    if (!viewer) return undefined;
    const caller = {
      id: principal.userId,
      email: viewer.user?.email || null,
      groupNames: principal.groups,
      attributes: toAttributes(viewer.attributes ?? {}),
    };
    this.known.set(actor.value, caller);
    return caller;
  }
}
