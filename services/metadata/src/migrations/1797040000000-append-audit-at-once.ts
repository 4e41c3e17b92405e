import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The entries of a message are chained by one statement. One message follows the other, as each hash needs the one before, so the
 * time of one append is what bounds them: five round trips were most of it.
 */
export class AppendAuditAtOnce1797040000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // docs/audit.md tells it to verifiers.
    await runner.query(`
      create function metadata.audit_hash(previous_hash bytea, sequence bigint, body text) returns bytea
      language sql stable parallel safe
      return sha256(convert_to(encode(previous_hash, 'hex') || E'\\n' || sequence || E'\\n' || body, 'UTF8'))`);
    // A message that has had its effect is known by the inbox. Of one chain whoever has its row appends, until the commit.
    await runner.query(`
      create function metadata.append_audit_entries(message text, workspace text, bodies text[]) returns void
      language plpgsql as $$
      declare
        body text;
        place bigint;
        previous bytea;
        following bytea;
      begin
        insert into metadata.inbox (message_id) values (message) on conflict do nothing;
        if not found or cardinality(bodies) = 0 then
          return;
        end if;
        select last_sequence, last_hash into place, previous
        from metadata.audit_chain where workspace_id = workspace for update;
        if not found then
          insert into metadata.audit_chain (workspace_id) values (workspace) on conflict do nothing;
          select last_sequence, last_hash into strict place, previous
          from metadata.audit_chain where workspace_id = workspace for update;
        end if;
        foreach body in array bodies loop
          place := place + 1;
          following := metadata.audit_hash(previous, place, body);
          insert into metadata.audit_entry (workspace_id, sequence, previous_hash, hash, body)
          values (workspace, place, previous, following, body);
          previous := following;
        end loop;
        update metadata.audit_chain set last_sequence = place, last_hash = previous where workspace_id = workspace;
      end $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop function metadata.append_audit_entries, metadata.audit_hash');
  }
}
