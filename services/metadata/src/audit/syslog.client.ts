import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Injectable } from '@nestjs/common';
import { InjectConfig } from '#libs/config';
import { failureOf, ReceiverClient } from '#libs/receivers';
import type { MetadataConfig } from '../metadata.config.js';

/**
 * Sends messages to a syslog server by TCP or TLS, a connection for each batch. Syslog acknowledges nothing, so a batch
 * counts as taken when the server has closed the connection in good order after all of it was sent and our side was closed:
 * one that dies in between has it sent again.
 */
@Injectable()
export class SyslogClient {
  constructor(
    private readonly receivers: ReceiverClient,
    @InjectConfig() private readonly config: Pick<MetadataConfig, 'audit'>,
  ) {}

  /** @returns why it was not taken; undefined where it was */
  async send(address: string, frames: readonly Buffer[]): Promise<string | undefined> {
    const url = new URL(address);
    const signal = AbortSignal.timeout(this.config.audit.timeoutMs);
    let socket: Socket | undefined;
    try {
      socket = await this.open(url, signal);
      for (const frame of frames) if (!socket.write(frame)) await once(socket, 'drain', { signal });
      socket.end();
      // What it may say is read and forgotten, so that its end is seen.
      socket.resume();
      await once(socket, 'close', { signal });
      return undefined;
    } catch (error) {
      return failureOf(error);
    } finally {
      socket?.destroy();
    }
  }

  private async open({ hostname, port, protocol }: URL, signal: AbortSignal): Promise<Socket> {
    const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
    const isTls = protocol === 'syslog+tls:';
    // Checked here and connected to by address, so that a name cannot lead elsewhere in between.
    const [checked] = await this.receivers.checkedAddresses(host, isTls ? 'https:' : 'http:');
    const target = { host: checked?.address ?? host, port: Number(port) };
    const socket = isTls ? connectTls({ ...target, servername: host }) : connectTcp(target);
    try {
      await once(socket, isTls ? 'secureConnect' : 'connect', { signal });
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return socket;
  }
}
