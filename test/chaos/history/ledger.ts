import type { Operation, Question, ToldEvent } from './operation.ts';

export interface Submission {
  readonly key: string;
  readonly caller: string;
  readonly question: Question;
  readonly invokedAtMs: number;
  answeredAtMs?: number;
  /** What was accepted under the key; more than one would be one too many. */
  readonly executions: Set<string>;
  isHit: boolean;
  refusal?: string;
}

export interface Connection {
  readonly gateway: string;
  readonly events: { atMs: number; event: ToldEvent }[];
  /** 'complete', or why it ended before that. */
  end: string;
  endedAtMs?: number;
}

type Of<F extends Operation['f']> = Extract<Operation, { f: F }>;
export type Seen = Of<'seen'>;
export type Statements = Of<'statements'>;
export type Finished = Of<'finished'>;

export interface Thing {
  acknowledged: number;
  acknowledgements: number;
  /** What may or may not have been done behind the last that was acknowledged. */
  readonly unknown: Set<number>;
  saved: number | undefined;
}

export interface Outage {
  readonly name: string;
  readonly fromMs: number;
  readonly mendedMs: number;
  readonly toMs: number;
}

/** A history in order: by submission, by execution, by changed thing. */
export class Ledger {
  readonly submissions = new Map<string, Submission>();
  readonly connections = new Map<string, Connection[]>();
  readonly seen: Seen[] = [];
  readonly statements: Statements[] = [];
  readonly finished: Finished[] = [];
  readonly things = new Map<string, Thing>();
  readonly outages: Outage[] = [];
  /** What clients were told beside what they had asked for. */
  readonly errors: string[] = [];
  operations = 0;
  beganAtMs = Number.POSITIVE_INFINITY;
  endedAtMs = 0;

  add(operation: Operation): void {
    this.operations += 1;
    this.beganAtMs = Math.min(this.beganAtMs, operation.atMs);
    this.endedAtMs = Math.max(this.endedAtMs, operation.atMs);
    if (operation.type === 'info' && 'isTold' in operation && operation.isTold && !this.isRelaxed(operation)) {
      this.errors.push(`${operation.process}: ${operation.f}: ${operation.error}`);
    }
    switch (operation.f) {
      case 'submit':
        return this.addSubmit(operation);
      case 'subscribe':
      case 'told':
        return this.addConnection(operation);
      case 'change':
        return this.addChange(operation);
      case 'saved':
        this.thing(operation.name).saved = operation.value;
        return;
      case 'seen':
        this.seen.push(operation);
        return;
      case 'statements':
        this.statements.push(operation);
        return;
      case 'finished':
        this.finished.push(operation);
        return;
      case 'outage':
        if (operation.type === 'ok') this.outages.push({ ...operation, toMs: operation.atMs });
        return;
      case 'cancel':
        return;
    }
  }

  /** What was asked without a key cannot be sent again for its client: if it is lost on its way, the client must hear of it. */
  private isRelaxed(operation: Operation): boolean {
    return operation.f === 'submit' && this.submissions.get(operation.key)?.question.isRelaxed === true;
  }

  private addSubmit(operation: Of<'submit'>): void {
    if (operation.type === 'invoke') {
      const { key, caller, question, atMs } = operation;
      this.submissions.set(key, { key, caller, question, invokedAtMs: atMs, executions: new Set(), isHit: false });
      return;
    }
    const submission = this.submissions.get(operation.key);
    if (!submission) throw new Error(`${operation.key} was answered and never asked`);
    if (operation.type === 'fail') submission.refusal = operation.error;
    if (operation.type !== 'ok') return;
    submission.executions.add(operation.execution);
    submission.isHit ||= operation.isHit;
    submission.answeredAtMs = operation.atMs;
  }

  private addConnection(operation: Of<'subscribe'> | Of<'told'>): void {
    const connections = this.connections.get(operation.execution) ?? [];
    this.connections.set(operation.execution, connections);
    if (operation.f === 'subscribe' && operation.type === 'invoke') {
      connections.push({ gateway: operation.gateway, events: [], end: 'never ended' });
      return;
    }
    const last = connections.at(-1);
    if (!last) throw new Error(`${operation.execution} was told without a connection`);
    if (operation.f === 'told') last.events.push({ atMs: operation.atMs, event: operation.event });
    else {
      last.end = operation.type === 'info' ? operation.end : 'complete';
      last.endedAtMs = operation.atMs;
    }
  }

  private addChange({ name, value, type }: Of<'change'>): void {
    const thing = this.thing(name);
    if (type === 'invoke') thing.unknown.add(value);
    if (type === 'fail') thing.unknown.delete(value);
    if (type !== 'ok') return;
    thing.acknowledged = value;
    thing.acknowledgements += 1;
    thing.unknown.clear();
  }

  private thing(name: string): Thing {
    let thing = this.things.get(name);
    if (!thing) {
      thing = { acknowledged: 0, acknowledgements: 0, unknown: new Set(), saved: undefined };
      this.things.set(name, thing);
    }
    return thing;
  }
}
