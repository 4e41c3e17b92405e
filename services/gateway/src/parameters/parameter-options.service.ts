import { Injectable } from '@nestjs/common';
import { AppError, type JsonObject } from '#libs/kernel';
import { invalidInput } from '../errors/user-error.js';
import { ExecutionsService } from '../executions/executions.service.js';
import type { RequestContext } from '../request/request-context.js';
import { titled, type OptionsAnswer, type ParameterOption } from './options-query.service.js';

export interface ParameterOptionList {
  readonly options: readonly ParameterOption[];
  readonly truncated: boolean;
}

interface ListArgs {
  readonly savedQueryId: string;
  readonly parameter: string;
  readonly first: number;
  readonly search?: string | null;
  readonly parameters?: JsonObject | null;
}

const firstMax = 1_000;

/** What a person may choose from for a parameter of a saved query. */
@Injectable()
export class ParameterOptionsService {
  constructor(private readonly executions: ExecutionsService) {}

  /** Null where any value of the type is taken. */
  async list(args: ListArgs, context: RequestContext): Promise<ParameterOptionList | null> {
    const { first, search } = args;
    if (first < 1 || first > firstMax) throw invalidInput(`first must be from 1 to ${firstMax}`, 'first');
    const answer = await this.answerOf(args, context);
    if (!answer) return null;
    const sought = (search ?? '').trim().toLowerCase();
    const found = answer.options.filter(({ title }) => title.toLowerCase().includes(sought));
    return { options: found.slice(0, first), truncated: answer.isTruncated || found.length > first };
  }

  private async answerOf(args: ListArgs, context: RequestContext): Promise<OptionsAnswer | null> {
    void context.caller;
    const query = await context.loaders.savedQueries.load(args.savedQueryId);
    if (!query) {
      throw new AppError('saved_query.not_found', 'There is no such saved query.', { path: ['savedQueryId'] });
    }
    const definition = query.parameters.find(({ name }) => name === args.parameter);
    if (!definition) throw invalidInput('the query has no such parameter', 'parameter');
    const { options, optionsQueryId: queryId } = definition;
    if (options) return { options: options.values.map(titled), isTruncated: false };
    if (queryId === undefined) return null;
    return this.executions.optionsOf({ queryId, given: args.parameters ?? {}, path: ['parameter'] }, context);
  }
}
