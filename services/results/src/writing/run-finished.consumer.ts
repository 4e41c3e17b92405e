import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { HandlesEvent } from '#libs/bus';
import { runFinished, type RunFinished } from '#libs/contracts';
import { RunEndService } from './run-end.service.js';

@Controller()
export class RunFinishedConsumer {
  constructor(private readonly service: RunEndService) {}

  @HandlesEvent(runFinished)
  async onRunFinished(@Payload() event: RunFinished): Promise<void> {
    await this.service.end(event);
  }
}
