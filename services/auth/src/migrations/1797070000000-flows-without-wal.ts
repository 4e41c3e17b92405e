import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Sign-ins under way live for minutes, and after a crash of PostgreSQL or a failover they begin again: none comes back that was
 * taken, as all of them are gone. So they are not written to the log. The reference to the provider locked its row at each of
 * them; a flow is begun and taken only where the provider is there.
 */
export class FlowsWithoutWal1797070000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table auth.sso_flow drop constraint sso_flow_provider_id_fkey`);
    await runner.query(`alter table auth.sso_flow set unlogged`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table auth.sso_flow set logged`);
    await runner.query(`delete from auth.sso_flow where provider_id not in (select id from auth.identity_provider)`);
    await runner.query(
      `alter table auth.sso_flow add constraint sso_flow_provider_id_fkey
       foreign key (provider_id) references auth.identity_provider (id) on delete cascade`,
    );
  }
}
