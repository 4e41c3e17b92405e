import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Repeated } from './http-load.ts';

/** Apollo Server on Express in a process of its own, which answers a constant; the whole answer has so many bytes. */
export async function startBareApollo(bytes: number): Promise<{ question: Repeated; stop(): Promise<void> }> {
  const program = fileURLToPath(new URL('./bare-apollo.mjs', import.meta.url));
  // The size of what is around the constant.
  const child = spawn(process.execPath, [program, String(bytes - '{"data":{"constant":""}}\n'.length)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    question: {
      url: `http://127.0.0.1:${port.toString().trim()}/graphql`,
      headers: {},
      body: JSON.stringify({ query: '{ constant }' }),
      check: (text) => {
        if (!text.startsWith('{"data":{"constant":"x')) throw new Error(`not the constant: ${text.slice(0, 300)}`);
      },
    },
    stop: async () => {
      const exit = once(child, 'exit');
      child.stdin.end();
      await exit;
    },
  };
}
