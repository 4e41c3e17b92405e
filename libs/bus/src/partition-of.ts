/** A stable number from 0 to `partitions - 1` for a text (FNV-1a). */
export function partitionOf(text: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % partitions;
}
