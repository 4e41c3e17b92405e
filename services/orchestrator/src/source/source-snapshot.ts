import { metadataRequests, type SourceConnection } from '#libs/contracts';

// The message that carries a source between services is also how a run keeps it: secrets stay ciphertext in both.
const codec = metadataRequests.resolveRunnable.response;

export function encodeSource(source: SourceConnection): Buffer {
  return Buffer.from(codec.encode({ source, revision: 0 }));
}

export function decodeSource(bytes: Buffer): SourceConnection {
  const { source } = codec.decode(bytes);
  if (!source) throw new Error('the snapshot of a source is empty');
  return source;
}
