import { expect, it } from 'vitest';
import { familyOf } from './key-families.js';

it.each([
  ['sluice:{ws:wsp_01J9ZK3V5Q8R7T6Y4W2X1B0N}:rev', 'sluice:{ws:*}:rev'],
  ['sluice:{rate:api_01J9ZK3V5Q8R7T6Y4W2X1B0N}:bucket', 'sluice:{rate:*}:bucket'],
  ['sluice:{r:worker-host-1234}:inbox', 'sluice:{r:*}:inbox'],
  ['{sluice:bull}:run-default:run_01J9ZK3V5Q8R7T6Y4W2X1B0N-3:lock', '{sluice:bull}:run-default:*:lock'],
  ['sluice:{run}:event:v1', 'sluice:{run}:event:v1'],
])('A key of %s is of the family %s, which names nobody', (key, family) => {
  expect(familyOf(key)).toBe(family);
});
