import { Controller } from '@nestjs/common';
import { HandlesRequest } from '#libs/bus';
import { InjectConfig } from '#libs/config';
import { authRequests, type ResponseOf } from '#libs/contracts';
import { AllowAnonymous } from '#libs/identity';
import type { AuthConfig } from '../auth.config.js';
import { toJwks } from './signing-keys.js';

@Controller()
export class SigningController {
  private readonly jwksJson: string;

  constructor(@InjectConfig() config: Pick<AuthConfig, 'signingKeys'>) {
    this.jwksJson = toJwks(config.signingKeys);
  }

  @HandlesRequest(authRequests.getSigningKeys)
  @AllowAnonymous()
  getSigningKeys(): ResponseOf<typeof authRequests.getSigningKeys> {
    return { jwksJson: this.jwksJson };
  }
}
