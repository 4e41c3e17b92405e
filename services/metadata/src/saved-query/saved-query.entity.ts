import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ParameterDefinition } from '#libs/contracts';

/** A question that is kept under a name. */
@Entity('saved_query')
export class SavedQueryEntity {
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

  @Column({ type: 'text', nullable: true })
  description!: string | null;

  /** Name and description, as a search finds them. */
  @Column({ name: 'search_key', type: 'text' })
  searchKey!: string;

  @Column({ type: 'text' })
  sql!: string;

  @Column({ type: 'jsonb' })
  parameters!: ParameterDefinition[];

  @Column({ type: 'text', array: true })
  tags!: string[];

  @Column({ name: 'cache_ttl_seconds', type: 'integer', nullable: true })
  cacheTtlSeconds!: number | null;

  /** Run again when what it stands on is invalidated. */
  @Column({ name: 'warm_up', type: 'boolean' })
  warmUp!: boolean;

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
