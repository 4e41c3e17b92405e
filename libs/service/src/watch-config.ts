import { unwatchFile, watchFile } from 'node:fs';
import { configFilePath, type ConfigChange } from '#libs/config';
import type { AppLogger, LogLevel } from '#libs/telemetry';

interface Watched {
  readonly logger: AppLogger;
  /** Reads everything anew. */
  readonly reload: () => Promise<ConfigChange>;
  readonly logLevel: () => LogLevel;
}

/** Polled: where files are swapped by links, as Kubernetes does it, events of the file system do not come. */
const pollMs = 2_000;

/**
 * Reads the configuration anew at SIGHUP and when its file has changed. What may change while the service runs does;
 * a fault changes nothing.
 * @returns ends it
 */
export function watchConfig({ logger, reload, logLevel }: Watched): () => void {
  const readAnew = async (): Promise<void> => {
    try {
      const change = await reload();
      logger.setLevel(logLevel());
      // Somebody expects of those settings that they hold.
      if (change.needRestart.length > 0)
        logger.warn({ ...change }, 'the configuration was read anew, and a restart is needed');
      else logger.info({ ...change }, 'the configuration was read anew');
    } catch (err) {
      logger.error({ err }, 'the configuration has faults and stays as it was');
    }
  };
  let last: Promise<void> = Promise.resolve();
  // One after the other, so that the newest is the last.
  const onChange = (): void => void (last = last.then(readAnew));
  process.on('SIGHUP', onChange);
  const path = configFilePath();
  if (path) watchFile(path, { interval: pollMs, persistent: false }, onChange);
  return () => {
    process.off('SIGHUP', onChange);
    if (path) unwatchFile(path, onChange);
  };
}
