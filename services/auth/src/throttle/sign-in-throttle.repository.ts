import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';

interface Window {
  readonly failures: number;
  readonly endsInSeconds: number;
}

export interface Counted {
  readonly kind: 'account' | 'address' | 'reset' | 'reset_address';
  readonly value: string;
}

/** Counts failed sign-ins, and askings for a new password, in windows; what is counted is kept as a hash only. */
@Injectable()
export class SignInThrottleRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** The failures of the present window, and how long it lasts. */
  async read(counted: Counted): Promise<Window> {
    const [row] = await this.database.query<Window[]>(
      `select failures, extract(epoch from window_ends_at - now())::float8 as "endsInSeconds"
       from auth.sign_in_failure where key = $1 and window_ends_at > now()`,
      [keyOf(counted)],
    );
    return row ?? { failures: 0, endsInSeconds: 0 };
  }

  /** @returns the window with this one in it */
  async add(counted: Counted, windowSeconds: number): Promise<Window> {
    const [row] = await this.database.query<Window[]>(
      `insert into auth.sign_in_failure as known (key, failures, window_ends_at)
       values ($1, 1, now() + $2 * interval '1 second')
       on conflict (key) do update set
         failures = case when known.window_ends_at > now() then known.failures + 1 else 1 end,
         window_ends_at = case when known.window_ends_at > now() then known.window_ends_at else excluded.window_ends_at end
       returning failures, extract(epoch from window_ends_at - now())::float8 as "endsInSeconds"`,
      [keyOf(counted), windowSeconds],
    );
    return row ?? { failures: 1, endsInSeconds: windowSeconds };
  }

  async subtract(counted: Counted): Promise<void> {
    await this.database.query(
      `update auth.sign_in_failure set failures = failures - 1 where key = $1 and failures > 0`,
      [keyOf(counted)],
    );
  }

  async clear(counted: Counted): Promise<void> {
    await this.database.query(`delete from auth.sign_in_failure where key = $1`, [keyOf(counted)]);
  }

  async deleteOld(): Promise<void> {
    await this.database.query(`delete from auth.sign_in_failure where window_ends_at < now()`);
  }
}

function keyOf({ kind, value }: Counted): Buffer {
  return createHash('sha256').update(`${kind}\0${value}`).digest();
}
