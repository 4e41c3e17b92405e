import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { TableColumn } from '#libs/contracts';

/** A table as last read from its source. */
@Entity('source_table')
export class SourceTableEntity {
  @PrimaryColumn({ name: 'data_source_id', type: 'text' })
  dataSourceId!: string;

  /** Unique in the source, and the order of the list: catalog, schema, name. */
  @PrimaryColumn({ name: 'sort_key', type: 'text' })
  sortKey!: string;

  @Column({ type: 'text', nullable: true })
  catalog!: string | null;

  @Column({ type: 'text', nullable: true })
  schema!: string | null;

  @Column({ type: 'text' })
  name!: string;

  @Column({ name: 'search_key', type: 'text' })
  searchKey!: string;

  @Column({ type: 'jsonb' })
  columns!: TableColumn[];

  /** Whether the source can take a sample of it; null where that is not known. */
  @Column({ type: 'boolean', nullable: true })
  samplable!: boolean | null;
}
