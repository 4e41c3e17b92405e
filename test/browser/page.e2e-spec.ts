import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { samlAttributes, SamlIdentityProvider, until } from '#libs/testing';
import { run } from '../support/executions.js';
import { RunningMesh } from '../support/running-mesh.js';
import { slowRowsQuery } from '../support/slow-queries.js';
import { TestMesh } from '../support/test-mesh.js';
import { PageServer } from './page-server.js';

const rowCount = 3_000;
const executablePath = process.env['SLUICE_TEST_CHROMIUM'] ?? '/usr/bin/chromium';
const quiet = [
  ...['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync'],
];
const expectedRows = Array.from({ length: rowCount }, (_, index) => {
  const text = String(index + 1);
  return [index + 1, createHash('md5').update(text).digest('hex')];
});

let pages: PageServer;
let started: TestMesh;
let mesh: RunningMesh;
let browser: Browser;
beforeAll(async () => {
  pages = await PageServer.start();
  started = await TestMesh.start({
    moreGateways: 1,
    withIssuer: true,
    env: { SLUICE_GATEWAY_ALLOWED_ORIGINS: pages.origin },
  });
  mesh = new RunningMesh(started.accessData);
  browser = await chromium.launch({ executablePath, args: quiet });
});
afterAll(async () => {
  await browser.close();
  await mesh.close();
  await started.stop();
  await pages[Symbol.asyncDispose]();
});

const shownRows = async (page: Page): Promise<unknown[]> =>
  (await page.locator('#rows tr').allInnerTexts()).map((line) =>
    line.split('\t').map((cell): unknown => JSON.parse(cell)),
  );

describe('A page in a browser', () => {
  let page: Page;

  test('shows rows as they come, and goes on over the death of its gateway without a row lost or repeated', async () => {
    const survivor = mesh.admin.at(mesh.address(1));
    const { id: sourceId } = await mesh.source('flights_pg');
    const { id } = await run(survivor, sourceId, slowRowsQuery(rowCount).text);

    page = await browser.newPage();
    await page.goto(`${pages.origin}/page.html`);
    await page.fill('[name=gateways]', [mesh.address(0).url, mesh.address(1).url].join(' '));
    await page.fill('[name=authorization]', `Key ${mesh.access.apiKey}`);
    await page.fill('[name=id]', id);
    await page.click('text=Follow');

    const shown = page.locator('#rows tr');
    await until(async () => (await shown.count()) > 0, { what: 'the first rows' });
    await started.mesh.child('gateway').kill();
    const before = await shown.count();
    expect(before).toBeLessThan(rowCount);
    expect(await page.locator('#state').innerText()).toBe('RUNNING');

    const isOver = async (): Promise<boolean> => (await page.locator('#state').innerText()) === 'SUCCEEDED';
    await until(isOver, { timeoutMs: 40_000, what: 'the end, at the other gateway' });
    expect(await shownRows(page)).toEqual(expectedRows);
    expect(Number(await page.locator('#connections').innerText())).toBeGreaterThan(1);
    // As a supervisor would.
    started.mesh.child('gateway').start();
    await started.mesh.waitForService('gateway');
  });

  test('downloads the same data', async () => {
    const [file] = await Promise.all([page.waitForEvent('download'), page.click('text=Download')]);
    const [, ...lines] = readFileSync(await file.path(), 'utf8')
      .trimEnd()
      .split(/\r?\n/);
    expect(lines).toEqual(expectedRows.map((row) => row.join(',')));
    expect(file.suggestedFilename()).toMatch(/\.csv$/);
  });
});

const session = '__Host-sluice-session';
const gateway = (): string => mesh.address(0).url;
const address = (sso = started.ssoUrl ?? ''): string =>
  `${pages.origin}/sso.html?${new URLSearchParams({ gateway: gateway(), sso }).toString()}`;

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

describe('A page that signs in', () => {
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
    const redis = new Redis(mesh.access.brokerUrl);
    await redis.flushall();
    redis.disconnect();
    await until(async () => JSON.stringify(await answerOf(page)) === JSON.stringify(ada), { timeoutMs: 15_000 });
  });

  test('signs in by SAML, whose answer another site posts', async () => {
    await using peer = await SamlIdentityProvider.start();
    const options = {
      ...{ entityId: peer.entityId, signInUrl: peer.signInUrl, certificates: [peer.certificate] },
      origin: new URL(gateway()).origin,
    };
    const rules = { groups: { claim: samlAttributes.groups, passThrough: true }, roles: { default: ['viewer'] } };
    const { createIdentityProvider } = await mesh.admin.request<{
      createIdentityProvider: { identityProvider: { signInPath: string } };
    }>(
      `mutation ($input: CreateIdentityProviderInput!) { createIdentityProvider(input: $input) {
         identityProvider { signInPath } } }`,
      { input: { name: 'By SAML', kind: 'SAML', options, rules } },
    );
    const own = await browser.newContext();
    const other = await own.newPage();
    const { signInPath } = createIdentityProvider.identityProvider;
    await other.goto(address(new URL(signInPath, gateway()).href));
    expect(await answerOf(other)).toEqual(nobody);
    await other.click('text=Sign in');
    await other.waitForURL((url) => url.origin === pages.origin);
    const { email, groups } = peer.person;
    expect(await answerOf(other)).toMatchObject({
      http: { viewer: { user: { email, groupNames: groups.toSorted(), roleNames: ['viewer'] } } },
      scripts: '',
    });
    await own.close();
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
