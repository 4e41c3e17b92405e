import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./bare-socket-server.mjs', import.meta.url));

export interface BareSocketServer {
  readonly url: string;
  readonly pid: number;
  publish(payload: string): void;
  stop(): Promise<void>;
}

/** graphql-ws in a process of its own, where one string is sent to all. */
export async function startBareSocketServer(redis?: { path: string; password: string }): Promise<BareSocketServer> {
  const child = spawn(process.execPath, [program], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production', ...(redis ? { BARE_REDIS: JSON.stringify(redis) } : {}) },
  });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  if (child.pid === undefined) throw new Error('the control did not start');
  return {
    url: `ws://127.0.0.1:${port.toString().trim()}/`,
    pid: child.pid,
    publish: (payload) => child.stdin.write(`${payload}\n`),
    stop: async () => {
      const exit = once(child, 'exit');
      child.stdin.end();
      await exit;
    },
  };
}
