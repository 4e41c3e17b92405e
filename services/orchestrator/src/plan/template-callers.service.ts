import { Injectable } from '@nestjs/common';
import type { MessageContext } from '#libs/bus';
import type { Principal } from '#libs/identity';
import type { TemplateCaller } from '#libs/sql';
import { CallerMemory } from '../policy/caller.memory.js';

/** What of a caller their token does not say: everything but `user.id` and `user.groups`. */
const readsMore = /\buser\s*\.\s*(?!(?:id|groups)\b)/;

/** Whoever asks, as templates read them, and row policies too: behind an API key stands its maker. What is not known is absent, and a template that names it is refused. */
@Injectable()
export class TemplateCallers {
  constructor(private readonly callers: CallerMemory) {}

  /** @param text the template; what it cannot read is not asked for */
  async callerOf(
    principal: Principal,
    text: string,
    context: MessageContext & { readonly signal: AbortSignal },
  ): Promise<TemplateCaller> {
    const { userId: id, groups } = principal;
    const known = readsMore.test(text) ? await this.callers.get(principal, context, context.signal) : undefined;
    return {
      id,
      email: known?.email ?? null,
      groups,
      attributes: new Map(Object.entries(known?.attributes ?? {})),
    };
  }
}
