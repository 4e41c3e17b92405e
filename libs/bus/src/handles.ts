import { EventPattern, MessagePattern, type MessageHandler } from '@nestjs/microservices';
import type { EventContract, RequestContract } from '#libs/contracts';
import type { BusContext } from './bus-context.js';

/** Marks the one handler of a request. */
export function HandlesRequest<Request, Response>(contract: RequestContract<Request, Response>): MethodDecorator {
  return MessagePattern(contract.pattern);
}

/** Marks the one handler of an event in this service. It is acknowledged when the handler resolves, and comes again when it throws. */
export function HandlesEvent<Event>(contract: EventContract<Event>): MethodDecorator {
  const mark = EventPattern(contract.type);
  return (target, name, descriptor) => {
    mark(target, name, descriptor as TypedPropertyDescriptor<unknown> as never);
  };
}

/** One of the events that a handler is given together. */
export interface GatheredEvent<Event> {
  readonly payload: Event;
  readonly context: BusContext;
}

interface Extras {
  readonly isGathered?: boolean;
}

/**
 * Marks the one handler of an event of an ordered stream that is given what has gathered, in its order: an array of
 * `GatheredEvent`. It does all of them or none, and knows those that come again; where it throws, each comes by itself.
 */
export function HandlesGathered<Event>(contract: EventContract<Event>): MethodDecorator {
  const extras: Extras = { isGathered: true };
  const mark = EventPattern(contract.type, extras);
  return (target, name, descriptor) => {
    mark(target, name, descriptor as TypedPropertyDescriptor<unknown> as never);
  };
}

/** Whether the handler is given events together. */
export function isGathered({ extras }: MessageHandler): boolean {
  return (extras as Extras | undefined)?.isGathered === true;
}
