import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { federationRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { Allow, AllowAnonymous, AllowAuthenticated, principalOf } from '#libs/identity';
import { BrowserSessionService } from '../session/browser-session.service.js';
import { SignInPolicyService } from './sign-in-policy.service.js';
import { SsoService } from './sso.service.js';

type Requests = typeof federationRequests;

@Controller()
export class FederationController {
  constructor(
    private readonly sso: SsoService,
    private readonly browsers: BrowserSessionService,
    private readonly policy: SignInPolicyService,
  ) {}

  @HandlesRequest(federationRequests.answerSso)
  @AllowAnonymous()
  async answerSso(@Payload() input: RequestOf<Requests['answerSso']>): Promise<ResponseOf<Requests['answerSso']>> {
    return this.sso.answer(input);
  }

  @HandlesRequest(federationRequests.exchangeSessionCookie)
  @AllowAnonymous()
  async exchangeSessionCookie(
    @Payload() { cookie }: RequestOf<Requests['exchangeSessionCookie']>,
  ): Promise<ResponseOf<Requests['exchangeSessionCookie']>> {
    return this.browsers.exchange(cookie);
  }

  @HandlesRequest(federationRequests.getSignInPolicy)
  @AllowAuthenticated()
  async getSignInPolicy(
    @Payload() _input: RequestOf<Requests['getSignInPolicy']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['getSignInPolicy']>> {
    return { ssoEnforced: await this.policy.isSsoEnforced(principalOf(context)) };
  }

  @HandlesRequest(federationRequests.setSignInPolicy)
  @Allow('identity_provider.manage')
  async setSignInPolicy(
    @Payload() { ssoEnforced, checkOnly }: RequestOf<Requests['setSignInPolicy']>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<Requests['setSignInPolicy']>> {
    if (checkOnly) await this.policy.check(ssoEnforced, principalOf(context));
    else await this.policy.enforceSso(ssoEnforced, principalOf(context));
    return { ssoEnforced };
  }
}
