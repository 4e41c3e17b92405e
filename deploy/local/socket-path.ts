import { platform } from 'node:os';

/** The shortest bound of any system that we run on, with its final zero. */
const pathBytesMax = 103;

/** False where a socket cannot lie at this path: the kernel keeps paths of sockets in a small field. */
export function canBeSocketPath(path: string): boolean {
  return platform() !== 'win32' && Buffer.byteLength(path) <= pathBytesMax;
}
