import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JsonObject } from '#libs/kernel';

/** A place where questions are asked. Its secrets are here as ciphertext only. */
@Entity('data_source')
export class DataSourceEntity {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ name: 'workspace_id', type: 'text' })
  workspaceId!: string;

  @Column({ type: 'text' })
  name!: string;

  /** Unique in the workspace, and the order of the list. */
  @Column({ name: 'name_key', type: 'text' })
  nameKey!: string;

  @Column({ type: 'text' })
  type!: string;

  /** Without the secrets. */
  @Column({ type: 'jsonb' })
  options!: JsonObject;

  /** Which options the ciphertext holds; empty where there is none. */
  @Column({ name: 'secret_names', type: 'text', array: true })
  secretNames!: string[];

  @Column({ name: 'master_key_id', type: 'text', nullable: true })
  masterKeyId!: string | null;

  @Column({ name: 'wrapped_key', type: 'bytea', nullable: true })
  wrappedKey!: Uint8Array | null;

  @Column({ type: 'bytea', nullable: true })
  ciphertext!: Uint8Array | null;

  @Column({ name: 'max_concurrent_executions', type: 'integer' })
  maxConcurrentExecutions!: number;

  @Column({ type: 'boolean' })
  paused!: boolean;

  @Column({ name: 'cache_ttl_seconds', type: 'integer', nullable: true })
  cacheTtlSeconds!: number | null;

  @Column({ name: 'timeout_seconds', type: 'integer', nullable: true })
  timeoutSeconds!: number | null;

  /** Grows by one with each change. */
  @Column({ type: 'integer' })
  version!: number;

  @Column({ name: 'schema_refreshed_at', type: 'timestamptz', nullable: true })
  schemaRefreshedAt!: Date | null;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @Column({ name: 'updated_at', type: 'timestamptz' })
  updatedAt!: Date;
}
