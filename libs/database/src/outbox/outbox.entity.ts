import { Column, Entity, PrimaryColumn } from 'typeorm';

/** An event that was decided in a transaction of this service and is told after its commit. See message-tables.ts. */
@Entity('outbox')
export class OutboxEntity {
  /** The order in which they are told. */
  @PrimaryColumn({ type: 'bigint', insert: false, update: false })
  sequence!: string;

  @Column({ name: 'message_id', type: 'text' })
  messageId!: string;

  @Column({ type: 'text' })
  area!: string;

  @Column({ type: 'text' })
  type!: string;

  /** As it goes into the stream. */
  @Column({ type: 'bytea' })
  envelope!: Buffer;

  @Column({ name: 'created_at', type: 'timestamptz', insert: false, update: false })
  createdAt!: Date;

  @Column({ name: 'published_at', type: 'timestamptz', nullable: true })
  publishedAt!: Date | null;
}
