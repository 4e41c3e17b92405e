import { connect } from 'node:net';

interface Talk {
  /** This machine by default. */
  host?: string;
  port: number;
  request: string;
  /** What a good answer has in it. */
  expected: string;
  /** What a bad answer has in it. */
  refused: string;
}

/** True where a server gives the answer that is expected, within a second. */
export function answers({ host = '127.0.0.1', port, request, expected, refused }: Talk): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => socket.write(request));
    const finish = (isGood: boolean): void => {
      socket.destroy();
      resolve(isGood);
    };
    let answer = '';
    socket.setTimeout(1_000, () => finish(false));
    socket.on('data', (data) => {
      answer += data.toString();
      if (answer.includes(expected)) finish(true);
      else if (answer.includes(refused)) finish(false);
    });
    socket.once('error', () => finish(false));
    socket.once('close', () => finish(false));
  });
}
