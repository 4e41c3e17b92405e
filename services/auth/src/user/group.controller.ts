import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { HandlesRequest } from '#libs/bus';
import { authRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AllowService } from '#libs/identity';
import { GroupService } from './group.service.js';

@Controller()
export class GroupController {
  constructor(private readonly service: GroupService) {}

  @HandlesRequest(authRequests.ensureGroups)
  @AllowService('metadata')
  async ensureGroups(
    @Payload() { workspaceId, names }: RequestOf<typeof authRequests.ensureGroups>,
  ): Promise<ResponseOf<typeof authRequests.ensureGroups>> {
    await this.service.ensure(workspaceId, names);
    return {};
  }
}
