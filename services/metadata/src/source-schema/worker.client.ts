import { Injectable } from '@nestjs/common';
import { BusClient, serviceContext } from '#libs/bus';
import { workerRequests, type RequestOf, type ResponseOf, type SourceConnection, type Table } from '#libs/contracts';
import { AppError } from '#libs/kernel';

const answerMaxMs = 20_000;
/** Planning takes milliseconds; who waits for more waits for a source in trouble, or one that wakes up. */
const trialMaxMs = 4_000;
/** What is left to bring our own answer back in time. */
const reserveMs = 250;

export interface WorkerCall {
  readonly requestId: string;
  /** What the caller's own request has left; undefined where nobody waits. */
  readonly remainingMs?: number | undefined;
}

/** Workers are who talk to sources. What they answer of a source, such as a wrong password, is passed on as it is. */
@Injectable()
export class WorkerClient {
  constructor(private readonly bus: BusClient) {}

  testSource(source: SourceConnection, call: WorkerCall): Promise<ResponseOf<typeof workerRequests.testSource>> {
    return refuseSilence(this.bus.request(workerRequests.testSource, { source }, optionsOf(source, call)));
  }

  async readSchema(source: SourceConnection, call: WorkerCall): Promise<readonly Table[]> {
    const { tables } = await refuseSilence(
      this.bus.request(workerRequests.readSchema, { source }, optionsOf(source, call)),
    );
    return tables;
  }

  /** What the source refuses first of these statements; undefined where it could run them all. */
  async tryStatements(
    source: SourceConnection,
    trials: Trials,
    submittedById: string,
    call: WorkerCall,
  ): Promise<TrialFault | undefined> {
    const options = optionsOf(source, call, trialMaxMs);
    const timeoutMs = Math.max(1, options.ttlMs - reserveMs);
    const asked = { source, trials: [...trials], timeoutMs, submittedById };
    const { fault } = await refuseSilence(this.bus.request(workerRequests.tryStatements, asked, options));
    return fault;
  }
}

type Trials = readonly RequestOf<typeof workerRequests.tryStatements>['trials'][number][];
type TrialFault = NonNullable<ResponseOf<typeof workerRequests.tryStatements>['fault']>;

function optionsOf(
  { workspaceId }: SourceConnection,
  { requestId, remainingMs = Infinity }: WorkerCall,
  maxMs = answerMaxMs,
) {
  return {
    context: serviceContext('metadata', workspaceId, requestId),
    ttlMs: Math.max(1, Math.floor(Math.min(maxMs, remainingMs - reserveMs))),
  };
}

const silences: readonly string[] = ['bus.timeout', 'bus.unavailable', 'bus.unimplemented'];

/** A worker that says nothing is, to who asks, a source that cannot be reached. */
async function refuseSilence<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof AppError) || !silences.includes(error.code)) throw error;
    throw new AppError('source.unavailable', 'The data source did not answer in time.', {
      retryable: true,
      internalMessage: `no worker answered: ${error.message}`,
      cause: error,
    });
  }
}
