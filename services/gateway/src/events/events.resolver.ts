import { Query, Resolver, Subscription } from '@nestjs/graphql';
import type { RequestContext } from '../request/request-context.js';
import { EventsService, type ExecutionEventsArgs } from './events.service.js';
import type { ExecutionEvent } from './execution-event.js';

/** An event is what the feed made, without a wrapper named as the field. */
const resolve = (event: ExecutionEvent): ExecutionEvent => event;

@Resolver()
export class EventsResolver {
  constructor(private readonly events: EventsService) {}

  @Query('executionsFinishedCursor')
  executionsFinishedCursor(_root: unknown, _args: unknown, context: RequestContext): Promise<string> {
    return this.events.executionsFinishedCursor(context);
  }

  @Subscription('executionEvents', { resolve })
  executionEvents(
    _root: unknown,
    args: ExecutionEventsArgs,
    context: RequestContext,
  ): Promise<AsyncIterable<ExecutionEvent>> {
    return this.events.executionEvents(args, context);
  }

  @Subscription('executionsFinished', { resolve })
  executionsFinished(
    _root: unknown,
    { after }: { readonly after?: string | null },
    context: RequestContext,
  ): AsyncIterable<ExecutionEvent> {
    return this.events.executionsFinished(after, context);
  }
}
