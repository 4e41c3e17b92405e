import { createSocket, type Socket } from 'node:dgram';
import { delay } from '#libs/kernel';

const headerBytes = 12;
const typeA = 1;

/** The smallest server of names: it knows one address for all of them, and takes as long as it is told. */
export class SlowNames implements AsyncDisposable {
  delayMs = 0;
  asked = 0;

  private constructor(
    private readonly socket: Socket,
    private readonly address: string,
  ) {}

  /** Listens at port 53 of `address`, and answers with it. */
  static async start(address: string): Promise<SlowNames> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(53, address, resolve));
    const names = new SlowNames(socket, address);
    socket.on('message', (question, { port, address: from }) => void names.answer(question, port, from));
    return names;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.socket.close(resolve));
  }

  private async answer(question: Buffer, port: number, from: string): Promise<void> {
    this.asked += 1;
    await delay(this.delayMs);
    this.socket.send(answerTo(question, this.address), port, from, () => undefined);
  }
}

/** The question again, with one record for an address of IPv4 and with none for anything else (RFC 1035, 4.1). */
function answerTo(question: Buffer, address: string): Buffer {
  const end = endOfName(question) + 4;
  const isAddress = question.readUInt16BE(end - 4) === typeA;
  const header = Buffer.from(question.subarray(0, headerBytes));
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(isAddress ? 1 : 0, 6);
  header.fill(0, 8);
  // A pointer to the name of the question, type A, class IN, no time to be kept, four bytes.
  const record = Buffer.from([0xc0, headerBytes, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]);
  return Buffer.concat([header, question.subarray(headerBytes, end), ...(isAddress ? [record] : [])]);
}

function endOfName(question: Buffer): number {
  let at = headerBytes;
  while ((question[at] ?? 0) > 0) at += (question[at] ?? 0) + 1;
  return at + 1;
}
