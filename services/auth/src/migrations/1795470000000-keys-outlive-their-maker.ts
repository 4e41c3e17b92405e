import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A user who is deleted takes his keys along; what they have made for a service account stays the account's. */
export class KeysOutliveTheirMaker1795470000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await this.reference(runner, 'on delete set null');
  }

  async down(runner: QueryRunner): Promise<void> {
    await this.reference(runner, '');
  }

  private async reference(runner: QueryRunner, onDelete: string): Promise<void> {
    await runner.query(`
      alter table auth.api_key
        drop constraint api_key_maker_key_id_fkey,
        add constraint api_key_maker_key_id_fkey foreign key (maker_key_id) references auth.api_key (id) ${onDelete}`);
  }
}
