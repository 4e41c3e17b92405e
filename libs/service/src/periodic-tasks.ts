import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import type { PeriodicTask } from './periodic-task.js';

/** What a feature does every so often, from the start of the process to its end. */
export abstract class PeriodicTasks implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly tasks: readonly PeriodicTask[];

  constructor(...tasks: readonly PeriodicTask[]) {
    this.tasks = tasks;
  }

  onApplicationBootstrap(): void {
    for (const task of this.tasks) task.start();
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.tasks.map((task) => task.stop()));
  }
}
