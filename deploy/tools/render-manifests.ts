// `npm run deploy:render`: writes the plain manifests of deploy/kubernetes from the Helm chart, so that there is one source of
// both and those without Helm lose nothing. Needs helm; see build-deploy-tools.mjs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderings, textOf } from './renderings.ts';

for (const rendering of renderings) {
  const path = join('deploy', 'kubernetes', rendering.folder, 'resources.yaml');
  writeFileSync(path, await textOf(rendering));
  console.log(path);
}
