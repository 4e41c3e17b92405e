import { expect, it } from 'vitest';
import { newId } from '#libs/kernel';
import { ReceiverClient } from '#libs/receivers';
import type { Caller } from '../caller.js';
import { AuditForwarderService } from './audit-forwarder.service.js';

it('An address without encryption is refused for that, where the operator has allowed no networks', async () => {
  const receivers = new ReceiverClient({ allowedNetworks: [], timeoutMs: 1_000 });
  const forwarders = new AuditForwarderService(undefined as never, receivers, undefined as never);
  for (const url of ['http://siem.example.com/in', 'syslog+tcp://siem.example.com:514']) {
    const created = forwarders.create({ name: 'SIEM', url, fromBeginning: false }, {
      workspaceId: newId('workspace'),
    } as Caller);
    await expect(created, url).rejects.toMatchObject({ message: expect.stringContaining('not encrypted') });
  }
});
