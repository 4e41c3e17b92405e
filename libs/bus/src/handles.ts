import { EventPattern, MessagePattern } from '@nestjs/microservices';
import type { EventContract, RequestContract } from '#libs/contracts';

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
