import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Only root can make a disk that is full without filling somebody's. */
export function missingForMounts(): string[] {
  const place = mkdtempSync(join(tmpdir(), 'sluice-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place], { stdio: 'ignore' });
    execFileSync('umount', [place]);
    return [];
  } catch {
    return ['the right to mount, which root has,'];
  } finally {
    rmSync(place, { recursive: true });
  }
}
