import { answers } from './answers.ts';

/** Asks a service's port for operators. By hand, as Node's own client of HTTP would take a fifth of the launcher's memory. */
export function isReady(port: number, host: string): Promise<boolean> {
  const request = 'GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n';
  return answers({ host, port, request, expected: 'HTTP/1.1 200 ', refused: 'HTTP/1.1 ' });
}
