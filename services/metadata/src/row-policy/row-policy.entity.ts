import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ColumnMask, TableName } from '#libs/contracts';

/** Which rows of a source people see. */
@Entity('row_policy')
export class RowPolicyEntity {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ name: 'workspace_id', type: 'text' })
  workspaceId!: string;

  @Column({ name: 'data_source_id', type: 'text' })
  dataSourceId!: string;

  @Column({ type: 'text' })
  name!: string;

  /** With the id, the order of the list. */
  @Column({ name: 'name_key', type: 'text' })
  nameKey!: string;

  /** Null: every table of the source that has the columns that the predicate names. */
  @Column({ name: 'governed_table', type: 'jsonb', nullable: true })
  table!: TableName | null;

  @Column({ name: 'group_names', type: 'text', array: true })
  groupNames!: string[];

  @Column({ name: 'exempt_group_names', type: 'text', array: true })
  exemptGroupNames!: string[];

  @Column({ type: 'text', nullable: true })
  key!: string | null;

  @Column({ type: 'text' })
  predicate!: string;

  @Column({ type: 'jsonb' })
  masks!: ColumnMask[];

  @Column({ type: 'boolean' })
  enabled!: boolean;

  /** Grows by one with each change. */
  @Column({ type: 'integer' })
  version!: number;

  @Column({ name: 'created_by_id', type: 'text' })
  createdById!: string;

  @Column({ name: 'updated_by_id', type: 'text' })
  updatedById!: string;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @Column({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;
}
