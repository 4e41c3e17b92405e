import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import { TestMesh } from '../support/test-mesh.js';
import { PageServer } from './page-server.js';

const executablePath = process.env['SLUICE_TEST_CHROMIUM'] ?? '/usr/bin/chromium';
const session = '__Host-sluice-session';

let pages: PageServer;
let mesh: TestMesh;
let browser: Browser;
beforeAll(async () => {
  pages = await PageServer.start();
  mesh = await TestMesh.start({ withIssuer: true, env: { SLUICE_GATEWAY_ALLOWED_ORIGINS: pages.origin } });
  browser = await chromium.launch({ executablePath, args: ['--disable-gpu', '--no-first-run'] });
});
afterAll(async () => {
  await browser?.close();
  await mesh?.stop();
  await pages?.[Symbol.asyncDispose]();
});

const gateway = (): string => mesh.accessData.gateways[0]?.url ?? '';
const address = (): string =>
  `${pages.origin}/sso.html?${new URLSearchParams({ gateway: gateway(), sso: mesh.ssoUrl ?? '' }).toString()}`;

async function answerOf(page: Page): Promise<unknown> {
  await page.evaluate(`document.querySelector('#answer').textContent = ''`);
  await page.click('#ask');
  const text = page.locator('#answer');
  await until(async () => (await text.innerText()) !== '', { what: 'an answer' });
  return JSON.parse(await text.innerText());
}

const nobody = { http: { viewer: null }, socket: null, scripts: '' };
const ada = {
  http: {
    viewer: {
      user: { email: 'ada@local.example', groupNames: ['analysts'], roleNames: ['analyst'] },
      attributes: { department: 'flights' },
    },
  },
  socket: { viewer: { user: { email: 'ada@local.example' } } },
  scripts: '',
};

describe('A page in a browser', () => {
  let context: BrowserContext;
  let page: Page;

  test('signs in through the local provider, and asks over HTTP and a WebSocket by a cookie that it never sees', async () => {
    context = await browser.newContext();
    page = await context.newPage();
    await page.goto(address());
    expect(await answerOf(page)).toEqual(nobody);
    await page.click('text=Sign in');
    await page.click('text=Ada');
    await page.waitForURL((url) => url.origin === pages.origin);
    expect(await answerOf(page)).toEqual(ada);
    const cookie = (await context.cookies(gateway())).find(({ name }) => name === session);
    expect(cookie).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Lax', path: '/' });
  });

  test('stays signed in when Redis loses everything', async () => {
    const redis = new Redis(mesh.accessData.brokerUrl);
    await redis.flushall();
    redis.disconnect();
    await until(async () => JSON.stringify(await answerOf(page)) === JSON.stringify(ada), { timeoutMs: 15_000 });
  });

  test('of another origin cannot ask by the cookie', async () => {
    const stranger = await PageServer.start();
    const other = await context.newPage();
    await other.goto(address().replace(pages.origin, stranger.origin));
    const outcome = await other.evaluate(async (url) => {
      const init = { method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' } } as const;
      const body = JSON.stringify({ query: '{ viewer { id } }' });
      return fetch(url, { ...init, body }).then(
        (response) => response.text(),
        () => 'blocked',
      );
    }, gateway());
    expect(outcome).toBe('blocked');
    await other.close();
    await stranger[Symbol.asyncDispose]();
  });
});
