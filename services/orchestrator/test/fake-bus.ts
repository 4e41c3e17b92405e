import type { BusClient } from '#libs/bus';
import type { AnyRequestContract, FirehoseContract, RequestContract } from '#libs/contracts';
import { AppError } from '#libs/kernel';

export interface Told {
  readonly type: string;
  readonly message: Record<string, unknown>;
}

type Answer = (input: unknown, options: { instance?: string }) => unknown;

/** The bus as a test sees it: what was told is kept, and requests are answered by the test. Nobody else answers. */
export class FakeBus {
  readonly told: Told[] = [];
  readonly requests: { pattern: string; input: unknown; instance: string | undefined }[] = [];
  private readonly answers = new Map<string, Answer>();

  answer<Request, Response>(
    contract: RequestContract<Request, Response>,
    answer: (input: Request, options: { instance?: string }) => Response | Promise<Response>,
  ): void {
    // Kept under the contract's own pattern, so only inputs of this contract reach it.
    this.answers.set(contract.pattern, answer as Answer);
  }

  /** Where the test has no answer of its own. */
  answerFirst<Request, Response>(
    contract: RequestContract<Request, Response>,
    answer: (input: Request, options: { instance?: string }) => Response | Promise<Response>,
  ): void {
    if (!this.answers.has(contract.pattern)) this.answer(contract, answer);
  }

  countOf(contract: AnyRequestContract): number {
    return this.requests.filter(({ pattern }) => pattern === contract.pattern).length;
  }

  async request(contract: AnyRequestContract, input: unknown, options: { instance?: string }): Promise<unknown> {
    this.requests.push({ pattern: contract.pattern, input, instance: options.instance });
    const answer = this.answers.get(contract.pattern);
    if (!answer) throw new AppError('bus.timeout', 'No answer.', { retryable: true });
    return answer(input, options);
  }

  async tell<Message>(contract: FirehoseContract<Message>, _runId: string, message: Message): Promise<void> {
    // Encoded as it would be, so that a message that does not fit its contract fails the test.
    contract.codec.encode(message);
    this.told.push({ type: contract.type, message: message as Record<string, unknown> });
  }

  /** It has the two methods of a BusClient that the orchestrator calls. */
  asClient(): BusClient {
    return this as unknown as BusClient;
  }
}
