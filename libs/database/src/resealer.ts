import type { DataSource } from 'typeorm';
import type { KeyProgress } from '#libs/contracts';
import {
  isTextSealedBy,
  openSecrets,
  openText,
  sealSecrets,
  sealText,
  unwrapDataKey,
  type DataKey,
  type MasterKeys,
  type SealedSecrets,
  type WrappedDataKey,
} from '#libs/encryption';
import { AppError } from '#libs/kernel';

/**
 * Where a service keeps secrets: one sealed text in a column, or where none is named SealedSecrets in the three columns of
 * their names. Each is bound to `<workspace>/<id>`.
 */
export interface SealedPlace {
  readonly table: string;
  readonly id: string;
  readonly column?: string;
  /** What the secret is bound to beside workspace and row, where a row keeps several. */
  readonly purpose?: string;
}

interface SealedRow extends SealedSecrets {
  readonly id: string;
  readonly workspaceId: string;
  readonly sealed: string;
}

const rowsMax = 100;

/**
 * Seals a service's secrets by the present data keys of their workspaces. It may be done again at any time, and while others
 * write: a row that has changed meanwhile stays as it is, since whoever wrote it has sealed it.
 */
export class Resealer {
  constructor(
    private readonly dataSource: DataSource,
    private readonly masterKeys: MasterKeys,
    private readonly places: readonly SealedPlace[],
    private readonly readDataKey: (workspaceId: string) => Promise<WrappedDataKey>,
  ) {}

  /** @param after what the call before named as the next; empty to begin */
  async reseal(after: string): Promise<KeyProgress> {
    const { index, id } = placeOf(after);
    const place = this.places[index];
    const total = await this.count();
    if (!place) return { seen: 0, resealed: 0, unreadable: 0, total };
    const rows = await this.read(place, id);
    const dataKeys = new Map<string, DataKey>();
    const outcomes = { resealed: 0, unreadable: 0, current: 0 };
    for (const row of rows) {
      const dataKey = dataKeys.get(row.workspaceId) ?? (await this.open(row.workspaceId));
      dataKeys.set(row.workspaceId, dataKey);
      outcomes[await this.resealRow(place, row, dataKey)] += 1;
    }
    const { resealed, unreadable } = outcomes;
    const last = rows.length < rowsMax ? undefined : rows.at(-1);
    const next = last ? `${index}:${last.id}` : index + 1 < this.places.length ? `${index + 1}:` : undefined;
    return { seen: rows.length, resealed, unreadable, total, ...(next === undefined ? {} : { next }) };
  }

  private async open(workspaceId: string): Promise<DataKey> {
    return unwrapDataKey(await this.readDataKey(workspaceId), this.masterKeys, workspaceId);
  }

  private async resealRow(
    place: SealedPlace,
    row: SealedRow,
    dataKey: DataKey,
  ): Promise<'resealed' | 'unreadable' | 'current'> {
    const aad = [row.workspaceId, row.id, ...(place.purpose === undefined ? [] : [place.purpose])].join('/');
    try {
      if (place.column === undefined) {
        if (Buffer.from(dataKey.wrappedKey).equals(row.wrappedKey)) return 'current';
        const secrets = openSecrets(row, this.masterKeys, aad);
        await this.writeParts(place, row, sealSecrets(secrets, dataKey, aad));
      } else {
        if (isTextSealedBy(row.sealed, dataKey)) return 'current';
        const text = openText(row.sealed, this.masterKeys, aad);
        await this.writeText(place, row, sealText(text, dataKey, aad));
      }
      return 'resealed';
    } catch (error) {
      if (error instanceof AppError && error.code === 'secret.unreadable') return 'unreadable';
      throw error;
    }
  }

  private read({ table, id, column }: SealedPlace, after: string): Promise<SealedRow[]> {
    const columns =
      column === undefined
        ? 'master_key_id as "masterKeyId", wrapped_key as "wrappedKey", ciphertext'
        : `${column} as sealed`;
    return this.dataSource.query<SealedRow[]>(
      `select ${id} as id, workspace_id as "workspaceId", ${columns} from ${table}
       where ${presentIn(column)} and ${id} collate "C" > $1 order by ${id} collate "C" limit ${rowsMax}`,
      [after],
    );
  }

  private async writeText({ table, id, column }: SealedPlace, row: SealedRow, sealed: string): Promise<void> {
    await this.dataSource.query(`update ${table} set ${column} = $3 where ${id} = $1 and ${column} = $2`, [
      ...[row.id, row.sealed, sealed],
    ]);
  }

  private async writeParts({ table, id }: SealedPlace, row: SealedRow, sealed: SealedSecrets): Promise<void> {
    await this.dataSource.query(
      `update ${table} set master_key_id = $3, wrapped_key = $4, ciphertext = $5 where ${id} = $1 and ciphertext = $2`,
      [row.id, row.ciphertext, sealed.masterKeyId, sealed.wrappedKey, sealed.ciphertext],
    );
  }

  private async count(): Promise<number> {
    const counts = this.places.map(({ table, column }) => `(select count(*) from ${table} where ${presentIn(column)})`);
    const [row] = await this.dataSource.query<{ total: string }[]>(`select ${counts.join(' + ')} as total`);
    return Number(row?.total ?? 0);
  }
}

function presentIn(column = 'ciphertext'): string {
  return `${column} is not null`;
}

function placeOf(after: string): { index: number; id: string } {
  const [, index, id = ''] = /^(\d{1,3}):(.*)$/.exec(after) ?? [];
  return index === undefined ? { index: 0, id: '' } : { index: Number(index), id };
}
