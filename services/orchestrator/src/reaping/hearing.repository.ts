import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { delay } from '#libs/kernel';
import { RedisConnections } from '#libs/redis';

const answerMs = 2_000;

/** Heartbeats come by the broker and end in PostgreSQL; without either of them, silence says nothing of a worker. */
@Injectable()
export class HearingRepository {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    private readonly redis: RedisConnections,
  ) {}

  async isReachable(): Promise<boolean> {
    const answers = Promise.all([this.dataSource.query('select 1'), this.redis.ping('broker')]).then(
      () => true,
      () => false,
    );
    const stopping = new AbortController();
    const tooLate = delay(answerMs, { signal: stopping.signal, unref: true }).then(() => false);
    const isReachable = await Promise.race([answers, tooLate]);
    stopping.abort();
    return isReachable;
  }
}
