import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import { InjectConfig, isFlagOn } from '#libs/config';
import type { Execution } from '#libs/contracts';
import type { GatewayConfig } from '../gateway.config.js';
import type { RequestContext } from '../request/request-context.js';
import { isRepeatable } from './repeatable-documents.js';
import { RepeatedHits } from './repeated-hits.service.js';

interface KeptAnswer {
  /** What the question is known by among the repeated hits. */
  readonly hitKey: string;
  readonly ageSeconds: number;
  /** The text, cut where the unique part of the execution's id stands. */
  readonly pieces: readonly string[];
  readonly contentType: string;
}

export interface RepeatedAnswer {
  readonly text: string;
  readonly contentType: string;
}

const answersMax = 1_000;
const charactersMax = 8 * 1024 * 1024;
const answerCharactersMax = 256 * 1024;
/** As long as the hits themselves are remembered. */
const keptMs = 5_000;

/**
 * Texts of answers from the cache. Of the same request by the same credentials nothing differs within one second of the kept
 * result's age but the execution's id, where the document asks for nothing else that does (see isRepeatable): the new
 * execution is recorded as ever, and its id put into the text, instead of executing the document again.
 */
@Injectable()
export class KeptAnswers {
  private readonly kept = new LRUCache<string, KeptAnswer>({
    max: answersMax,
    maxSize: charactersMax,
    maxEntrySize: answerCharactersMax,
    sizeCalculation: ({ pieces }) => pieces.reduce((sum, { length }) => sum + length, 1),
    ttl: keptMs,
  });

  constructor(
    private readonly hits: RepeatedHits,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'flags'>,
  ) {}

  /** @param body as it was sent. Undefined: such a request has no answer that is kept */
  keyOf(document: DocumentNode, body: string, accept: string | undefined, context: RequestContext): string | undefined {
    if (!context.isSignedIn || !isRepeatable(document)) return undefined;
    if (!isFlagOn('keptAnswers', this.config.flags.keptAnswers, context.caller.principal.workspaceId)) return undefined;
    return hash('sha256', `${context.caller.accessToken}\n${accept ?? ''}\n${body}`, 'base64');
  }

  /**
   * Records another execution of the kept answer. Undefined: the document is to be executed; where its execution has been
   * recorded by then, the context has it.
   */
  async repeat(key: string, context: RequestContext): Promise<RepeatedAnswer | undefined> {
    const kept = this.kept.get(key);
    if (!kept) return undefined;
    const { hitKey, pieces, contentType } = kept;
    const execution = await this.hits.repeat(hitKey);
    if (!execution) this.kept.delete(key);
    else if (ageOf(execution) === kept.ageSeconds) return { text: pieces.join(uniquePartOf(execution)), contentType };
    else context.hit.recorded = { key: hitKey, execution };
    return undefined;
  }

  /** Keeps what a document was answered with, where that was a repeated hit without any error. */
  keep(key: string, { text, contentType }: RepeatedAnswer, { hit }: RequestContext): void {
    // Errors come first, and tell the id of their request.
    if (!hit.answered || !text.startsWith('{"data":')) return;
    const { key: hitKey, execution } = hit.answered;
    const pieces = text.split(uniquePartOf(execution));
    this.kept.set(key, { hitKey, ageSeconds: ageOf(execution), pieces, contentType });
  }
}

function ageOf({ cacheAgeSeconds = 0 }: Execution): number {
  return Math.floor(cacheAgeSeconds);
}

/** What the ids of the execution and of its result have in common, and nothing else has. */
function uniquePartOf({ id }: Execution): string {
  return id.slice(id.indexOf('_') + 1);
}
