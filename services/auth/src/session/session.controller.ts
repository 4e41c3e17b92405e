import { Controller } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { BusContext, HandlesRequest } from '#libs/bus';
import { authRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AllowAnonymous, AllowAuthenticated, AllowService, principalOf } from '#libs/identity';
import { ActForService } from './act-for.service.js';
import { SessionService } from './session.service.js';
import { SignInService } from './sign-in.service.js';

@Controller()
export class SessionController {
  constructor(
    private readonly signIns: SignInService,
    private readonly sessions: SessionService,
    private readonly actors: ActForService,
  ) {}

  @HandlesRequest(authRequests.signIn)
  @AllowAnonymous()
  async signIn(
    @Payload() input: RequestOf<typeof authRequests.signIn>,
  ): Promise<ResponseOf<typeof authRequests.signIn>> {
    return this.signIns.signIn(input);
  }

  @HandlesRequest(authRequests.refreshSession)
  @AllowAnonymous()
  async refreshSession(
    @Payload() { refreshToken }: RequestOf<typeof authRequests.refreshSession>,
  ): Promise<ResponseOf<typeof authRequests.refreshSession>> {
    return this.sessions.refresh(refreshToken);
  }

  @HandlesRequest(authRequests.signOut)
  @AllowAuthenticated()
  async signOut(
    @Payload() _input: RequestOf<typeof authRequests.signOut>,
    @Ctx() context: BusContext,
  ): Promise<ResponseOf<typeof authRequests.signOut>> {
    await this.sessions.signOut(principalOf(context));
    return {};
  }

  @HandlesRequest(authRequests.actFor)
  @AllowService('orchestrator')
  async actFor(
    @Payload() { workspaceId, userId }: RequestOf<typeof authRequests.actFor>,
  ): Promise<ResponseOf<typeof authRequests.actFor>> {
    return { accessToken: await this.actors.issue(workspaceId, userId) };
  }
}
