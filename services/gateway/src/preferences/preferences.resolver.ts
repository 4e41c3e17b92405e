import { Mutation, ResolveField, Resolver } from '@nestjs/graphql';
import { preferencesRequests, type DataSource, type Preferences } from '#libs/contracts';
import { clearedIn } from '../common/cleared.js';
import { payloadOf, type Payload } from '../errors/payload.js';
import type { RequestContext } from '../request/request-context.js';

interface UpdatePreferencesArgs {
  readonly input: {
    readonly timeZone?: string | null;
    readonly locale?: string | null;
    readonly defaultDataSourceId?: string | null;
  };
}

@Resolver('Viewer')
export class ViewerPreferencesResolver {
  @ResolveField('preferences')
  async preferences(_viewer: unknown, _args: unknown, context: RequestContext): Promise<Preferences | null> {
    return (await context.ask(preferencesRequests.getPreferences, {})).preferences ?? null;
  }
}

@Resolver('Preferences')
export class PreferencesResolver {
  @Mutation('updatePreferences')
  updatePreferences(
    _root: unknown,
    { input }: UpdatePreferencesArgs,
    context: RequestContext,
  ): Promise<Payload<{ preferences: Preferences | undefined }>> {
    const { timeZone, locale, defaultDataSourceId } = input;
    return payloadOf(() =>
      context.ask(preferencesRequests.updatePreferences, {
        timeZone: timeZone ?? undefined,
        locale: locale ?? undefined,
        defaultDataSourceId: defaultDataSourceId ?? undefined,
        cleared: clearedIn(input),
      }),
    );
  }

  @ResolveField('defaultDataSource')
  async defaultDataSource(
    { defaultDataSourceId }: Preferences,
    _args: unknown,
    { loaders }: RequestContext,
  ): Promise<DataSource | null> {
    return defaultDataSourceId === undefined ? null : loaders.dataSources.load(defaultDataSourceId);
  }
}
