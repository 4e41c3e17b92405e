import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { writeTextFrame } from './text-frame.js';

describe('A text frame', () => {
  it.each([0, 1, 100, 125, 126, 4_096, 4_097, 65_535, 65_536, 300_000])(
    'of %i characters of body arrives whole, between messages of ws',
    async (length) => {
      const sockets = new WebSocketServer({ noServer: true });
      const http = createServer();
      const head = '{"id":"ž","payload":';
      const body = 'ž'.repeat(length);
      http.on('upgrade', (request, connection, first) => {
        sockets.handleUpgrade(request, connection, first, (socket) => {
          socket.send('before');
          writeTextFrame(request.socket, head, Buffer.from(body), '}');
          socket.send('after');
        });
      });
      http.listen(0, '127.0.0.1');
      await once(http, 'listening');
      const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
      const told: string[] = [];
      client.on('message', (data: Buffer) => told.push(data.toString()));
      while (told.length < 3) await once(client, 'message');
      expect(told).toEqual(['before', `${head}${body}}`, 'after']);
      client.terminate();
      http.close();
    },
  );
});
