import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { preferencesRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AllowAuthenticated, principalOf } from '#libs/identity';
import { PreferencesService } from './preferences.service.js';

@Controller()
export class PreferencesController {
  constructor(private readonly service: PreferencesService) {}

  @HandlesRequest(preferencesRequests.getPreferences)
  @AllowAuthenticated()
  async getPreferences(@Ctx() context: BusContext): Promise<ResponseOf<typeof preferencesRequests.getPreferences>> {
    const preferences = await this.service.get(principalOf(context));
    return preferences ? { preferences } : {};
  }

  @HandlesRequest(preferencesRequests.updatePreferences)
  @AllowAuthenticated()
  async updatePreferences(
    @Payload() input: RequestOf<typeof preferencesRequests.updatePreferences>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof preferencesRequests.updatePreferences>> {
    return { preferences: await this.service.update(input, principalOf(context)) };
  }
}
