import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { HandlesRequest } from '#libs/bus';
import { runRequests, type RequestOf, type ResponseOf } from '#libs/contracts';
import { AllowService } from '#libs/identity';
import { HeartbeatService } from './heartbeat.service.js';

@Controller()
export class HeartbeatController {
  constructor(private readonly service: HeartbeatService) {}

  @HandlesRequest(runRequests.heartbeat)
  @AllowService('worker')
  async heartbeat(
    @Payload() input: RequestOf<typeof runRequests.heartbeat>,
  ): Promise<ResponseOf<typeof runRequests.heartbeat>> {
    return this.service.beat(input);
  }
}
