import { Column, Entity, PrimaryColumn } from 'typeorm';

/** An event whose effect this service has committed. See message-tables.ts. */
@Entity('inbox')
export class InboxEntity {
  @PrimaryColumn({ name: 'message_id', type: 'text' })
  messageId!: string;

  @Column({ name: 'received_at', type: 'timestamptz', insert: false, update: false })
  receivedAt!: Date;
}
