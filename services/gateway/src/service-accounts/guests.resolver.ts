import { Mutation, Resolver } from '@nestjs/graphql';
import { serviceAccountRequests, type ResponseOf } from '#libs/contracts';
import type { JsonObject } from '#libs/kernel';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

interface MintGuestArgs {
  readonly input: {
    readonly savedQueryIds: string[];
    readonly parameters?: JsonObject | null;
    readonly attributes?: JsonObject | null;
    readonly timeZone?: string | null;
    readonly locale?: string | null;
    readonly expiresInSeconds?: number | null;
  };
}

@Resolver()
export class GuestsResolver {
  @Mutation('mintGuest')
  mintGuest(
    _root: unknown,
    { input }: MintGuestArgs,
    context: RequestContext,
  ): Promise<Payload<ResponseOf<typeof serviceAccountRequests.mintGuest>>> {
    const { savedQueryIds, parameters, attributes, timeZone, locale, expiresInSeconds } = input;
    return payloadOf(() =>
      context.ask(serviceAccountRequests.mintGuest, {
        savedQueryIds,
        parameters: parameters ?? undefined,
        attributes: attributes ?? undefined,
        timeZone: timeZone ?? undefined,
        locale: locale ?? undefined,
        expiresInSeconds: expiresInSeconds ?? undefined,
      }),
    );
  }

  @Mutation('revokeGuests')
  revokeGuests(
    _root: unknown,
    { serviceAccountId }: { readonly serviceAccountId: string },
    context: RequestContext,
  ): Promise<Payload<object>> {
    return payloadOf(() => context.ask(serviceAccountRequests.revokeGuests, { serviceAccountId }));
  }
}
