import { Query, ResolveField, Resolver } from '@nestjs/graphql';
import type { ParameterDefinition, SavedQuery } from '#libs/contracts';
import type { JsonObject } from '#libs/kernel';
import type { RequestContext } from '../request/request-context.js';
import { titled, type ParameterOption } from './options-query.service.js';
import { ParameterOptionsService, type ParameterOptionList } from './parameter-options.service.js';

interface ParameterOptionsArgs {
  readonly savedQueryId: string;
  readonly parameter: string;
  readonly first: number;
  readonly search?: string | null;
  readonly parameters?: JsonObject | null;
}

@Resolver('ParameterDefinition')
export class ParametersResolver {
  constructor(private readonly options: ParameterOptionsService) {}

  @Query('parameterOptions')
  parameterOptions(
    _root: unknown,
    args: ParameterOptionsArgs,
    context: RequestContext,
  ): Promise<ParameterOptionList | null> {
    return this.options.list(args, context);
  }

  @ResolveField('options')
  listed({ options }: ParameterDefinition): ParameterOption[] | null {
    return options ? options.values.map(titled) : null;
  }

  @ResolveField('optionsQuery')
  async optionsQuery(
    { optionsQueryId }: ParameterDefinition,
    _args: unknown,
    { loaders }: RequestContext,
  ): Promise<SavedQuery | null> {
    return optionsQueryId === undefined ? null : loaders.savedQueries.load(optionsQueryId);
  }
}
