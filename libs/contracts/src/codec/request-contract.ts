import type { DescMessage, DescMethod, DescService, MessageShape } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt';
import type { Domain } from './domain.js';
import { messageCodec, type MessageCodec } from './message-codec.js';

/** The services that answer requests; each has one request stream of this name. */
export type ServiceName = 'auth' | 'metadata' | 'orchestrator' | 'worker' | 'results';

/** One request and its reply. `pattern` is what the envelope carries as its type. */
export interface RequestContract<Request, Response> {
  readonly kind: 'request';
  readonly service: ServiceName;
  /** Such as `sluice.auth.v1.AuthService/SignIn`. */
  readonly pattern: string;
  /**
   * The method's idempotency_level: done twice, or done although its caller was told that it was not, it does no harm.
   */
  readonly isIdempotent: boolean;
  readonly request: MessageCodec<Request>;
  readonly response: MessageCodec<Response>;
}

// The constraint of a method's side that is known to be unary; streams have no place on the bus.
type Side<M, Of extends 'input' | 'output'> =
  M extends Record<Of, infer D extends DescMessage> ? Domain<MessageShape<D>> : never;

export type RequestContracts<S extends DescService> = {
  readonly [K in keyof S['method']]: RequestContract<Side<S['method'][K], 'input'>, Side<S['method'][K], 'output'>>;
};

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- stands for every contract; the parameters are invariant
export type AnyRequestContract = RequestContract<any, any>;
export type RequestOf<C> = C extends RequestContract<infer Request, unknown> ? Request : never;
export type ResponseOf<C> = C extends RequestContract<infer _Request, infer Response> ? Response : never;

/** One contract for each rpc of a service, under the rpc's name in camel case. */
export function requestContracts<S extends DescService>(service: ServiceName, descriptor: S): RequestContracts<S> {
  const contracts: Record<string, AnyRequestContract> = {};
  for (const method of descriptor.methods) {
    contracts[method.localName] = contractOf(service, method);
  }
  // Built from the same descriptor that the type is derived from.
  return contracts as RequestContracts<S>;
}

function contractOf(service: ServiceName, method: DescMethod): AnyRequestContract {
  if (method.methodKind !== 'unary') throw new Error(`${method.toString()} streams; the bus has no streams`);
  return {
    kind: 'request',
    service,
    pattern: `${method.parent.typeName}/${method.name}`,
    isIdempotent: method.idempotency !== MethodOptions_IdempotencyLevel.IDEMPOTENCY_UNKNOWN,
    request: messageCodec(method.input),
    response: messageCodec(method.output),
  };
}
