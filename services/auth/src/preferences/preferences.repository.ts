import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import type { Preferences } from '#libs/contracts';
import type { UserKey } from '../user/user.types.js';
import type { PreferencesChange } from './preferences.input.js';

type Row = { readonly [K in keyof Preferences]-?: string | null };

const columns = `time_zone as "timeZone", locale, default_data_source_id as "defaultDataSourceId"`;

/** Preferences in PostgreSQL: a row for each user who has said something. */
@Injectable()
export class PreferencesRepository {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  async find({ workspaceId, id }: UserKey): Promise<Preferences> {
    const [row] = await this.database.query<Row[]>(
      `select ${columns} from auth.user_preferences where workspace_id = $1 and user_id = $2`,
      [workspaceId, id],
    );
    return row ? toPreferences(row) : {};
  }

  /** In one statement, so that two changes of different fields both stay. */
  async change({ workspaceId, id }: UserKey, change: PreferencesChange): Promise<Preferences> {
    const { timeZone = null, locale = null, defaultDataSourceId = null } = change;
    const [row] = await this.database.query<Row[]>(
      `insert into auth.user_preferences as p (workspace_id, user_id, time_zone, locale, default_data_source_id)
       values ($1, $2, $3, $4, $5)
       on conflict (user_id) do update set
         time_zone = case when 'timeZone' = any ($6::text[]) then excluded.time_zone else p.time_zone end,
         locale = case when 'locale' = any ($6) then excluded.locale else p.locale end,
         default_data_source_id = case when 'defaultDataSourceId' = any ($6)
           then excluded.default_data_source_id else p.default_data_source_id end
       returning ${columns}`,
      [workspaceId, id, timeZone, locale, defaultDataSourceId, Object.keys(change)],
    );
    if (!row) throw new Error('preferences are gone while they are written');
    return toPreferences(row);
  }
}

function toPreferences({ timeZone, locale, defaultDataSourceId }: Row): Preferences {
  return {
    ...(timeZone === null ? {} : { timeZone }),
    ...(locale === null ? {} : { locale }),
    ...(defaultDataSourceId === null ? {} : { defaultDataSourceId }),
  };
}
