import { expect, test } from 'vitest';
import { tourBlocks } from './readme-blocks.js';

test('Only blocks marked as tour are taken, in order, with their line', () => {
  const markdown = [
    '# T',
    '```sh',
    'npm start',
    '```',
    '```sh tour',
    'A=1',
    'echo $A',
    '```',
    '',
    '```js tour',
    'f();',
    '```',
  ].join('\n');
  expect(tourBlocks(markdown)).toEqual([
    { language: 'sh', code: 'A=1\necho $A\n', line: 5 },
    { language: 'js', code: 'f();\n', line: 10 },
  ]);
});
