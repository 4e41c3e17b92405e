// `npm run licences`: what is shipped and under which licence.
import { lockedPackages } from './locked-packages.ts';

const shipped = lockedPackages().filter(({ isDev, license }) => !isDev && license !== undefined);
for (const { name, version, license } of shipped) console.log(`${name}@${version} ${license}`);
