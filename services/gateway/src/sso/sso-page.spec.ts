import { expect, it } from 'vitest';
import { failurePage } from './sso-page.js';

it('the page of a failed sign-in shows texts as texts', () => {
  const page = failurePage('<script>', `"quoted" & 'more'`, '<img src=x>');
  expect(page).not.toMatch(/<script|<img/);
});
