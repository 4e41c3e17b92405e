import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';

interface Window {
  readonly failures: number;
  readonly endsInSeconds: number;
}

/** Failures of one window, which PostgreSQL's own text of its end tells from all others to the microsecond. */
interface Failures {
  readonly failures: number;
  readonly endsAt: string;
}

export interface Counted {
  readonly kind: 'account' | 'spelling' | 'address' | 'reset' | 'reset_address';
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
  async add(counted: Counted, windowSeconds: number): Promise<Window & Failures> {
    const [row] = await this.database.query<(Window & Failures)[]>(
      `insert into auth.sign_in_failure as known (key, failures, window_ends_at)
       values ($1, 1, now() + $2 * interval '1 second')
       on conflict (key) do update set
         failures = case when known.window_ends_at > now() then known.failures + 1 else 1 end,
         window_ends_at = case when known.window_ends_at > now() then known.window_ends_at else excluded.window_ends_at end
       returning failures, extract(epoch from window_ends_at - now())::float8 as "endsInSeconds",
         window_ends_at::text as "endsAt"`,
      [keyOf(counted), windowSeconds],
    );
    if (!row) throw new Error('an insert that replaces what is there gave no row back');
    return row;
  }

  /** Counts one in a window that began with something else. */
  async addWithin(counted: Counted, { endsAt }: Pick<Failures, 'endsAt'>): Promise<void> {
    await this.database.query(
      `insert into auth.sign_in_failure as known (key, failures, window_ends_at) values ($1, 1, $2::timestamptz)
       on conflict (key) do update set
         failures = case when known.window_ends_at = excluded.window_ends_at then known.failures + 1 else 1 end,
         window_ends_at = excluded.window_ends_at`,
      [keyOf(counted), endsAt],
    );
  }

  /** @returns the one that it has taken away, where there was any */
  async subtract(counted: Counted): Promise<Failures | undefined> {
    const [[row]] = await this.database.query<[Failures[], number]>(
      `update auth.sign_in_failure set failures = failures - 1 where key = $1 and failures > 0
       returning 1 as failures, window_ends_at::text as "endsAt"`,
      [keyOf(counted)],
    );
    return row;
  }

  /** @returns what was counted; of two who ask at once only one gets it */
  async remove(counted: Counted): Promise<Failures | undefined> {
    const [[row]] = await this.database.query<[Failures[], number]>(
      `delete from auth.sign_in_failure where key = $1 returning failures, window_ends_at::text as "endsAt"`,
      [keyOf(counted)],
    );
    return row;
  }

  /** Takes away what was counted in this window, and nothing of another. */
  async subtractWithin(counted: Counted, { failures, endsAt }: Failures): Promise<void> {
    await this.database.query(
      `update auth.sign_in_failure set failures = greatest(failures - $2, 0)
       where key = $1 and window_ends_at = $3::timestamptz`,
      [keyOf(counted), failures, endsAt],
    );
  }

  async deleteOld(): Promise<void> {
    await this.database.query(`delete from auth.sign_in_failure where window_ends_at < now()`);
  }
}

function keyOf({ kind, value }: Counted): Buffer {
  return createHash('sha256').update(`${kind}\0${value}`).digest();
}
