import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#libs/testing';
import { createUser, newApiKey, newPerson, signIn } from '../support/people.js';
import { newDataSource } from '../support/data-sources.js';
import { runQueryDocument, runToEnd, sqlInput, tryRun } from '../support/executions.js';
import { readSpans, type Span } from '../support/otlp-receiver.js';
import { sharedMesh } from '../support/running-mesh.js';
import { unique } from '../support/slow-queries.js';

const mesh = sharedMesh();
afterAll(() => mesh.close());

let sourceId = '';
beforeAll(async () => {
  sourceId = (await mesh.source('flights_pg')).id;
});

const processes = Object.entries(mesh.access.operationsUrls);

describe('The port for operators', () => {
  test.each(processes)('%s: /healthz, and /readyz with its real dependencies', async (name, url) => {
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const ready = await fetch(`${url}/readyz`);
    expect([name, ready.status]).toEqual([name, 200]);
  });

  test.each(processes)('%s: /metrics is Prometheus text with names by the rule', async (_, url) => {
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toContain('text/plain');
    const names = [...(await response.text()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? '');
    expect(names.some((name) => name.startsWith('sluice_'))).toBe(true);
    expect(names.filter((name) => !/^(sluice_[a-z0-9_]+|process_[a-z_]+|nodejs_[a-z0-9_]+)$/.test(name))).toEqual([]);
  });

  const metricsOf = async (name: string): Promise<string> =>
    (await fetch(`${mesh.access.operationsUrls[name]}/metrics`)).text();

  test('tells what an operator asks first', async () => {
    await runToEnd(mesh.admin, sourceId, unique('select 1'));
    const [gateway, orchestrator, worker] = await Promise.all(['gateway', 'orchestrator', 'worker'].map(metricsOf));
    expect(gateway).toMatch(/sluice_gateway_\w*(operation|request)\w*_seconds/);
    expect(gateway).toMatch(/sluice_gateway_\w*socket/);
    expect(orchestrator).toMatch(/sluice_orchestrator_\w*queue/);
    expect(orchestrator).toMatch(/sluice_orchestrator_database_connections/);
    expect(orchestrator).toMatch(/sluice_orchestrator_execution_seconds/);
    expect(worker).toMatch(/sluice_worker_\w*_seconds/);
    for (const text of [gateway, orchestrator, worker]) {
      expect(text).toMatch(/sluice_[a-z]+_bus_request_seconds/);
      expect(text).toMatch(/sluice_[a-z]+_bus_retries_total/);
      expect(text).toMatch(/sluice_[a-z]+_redis_command_seconds\w*\{[^}]*role=/);
      expect(text).toMatch(/event_?loop/);
    }
  });

  test('never has an id in a label', async () => {
    for (const [name] of processes) expect(await metricsOf(name)).not.toMatch(/(exe|run|usr|src|wsp|req)_[0-9a-z]{26}/);
  });
});

describe('A trace', () => {
  test('runs from the HTTP request through the bus and the queue to the query at the source', async () => {
    const { traceId } = await runToEnd(mesh.admin, sourceId, unique('select 1 as traced'));
    const url = mesh.access.spansUrl ?? '';
    // Not metadata, whose answer is kept while nothing of the workspace changes.
    const wanted = ['gateway', 'orchestrator', 'worker', 'results'];
    const spans = await until(
      async () => {
        const found = (await readSpans(url)).filter((span) => span.traceId === traceId);
        return wanted.every((name) => found.some(({ service }) => service.includes(name))) && found;
      },
      { timeoutMs: 20_000, what: `spans of ${wanted.join(', ')} in trace ${traceId ?? ''}` },
    );
    const query = spans.find(({ service, name }) => service.includes('worker') && /query|source|execute/.test(name));
    expect(query, spans.map(({ service, name }) => `${service} ${name}`).join('\n')).toBeDefined();
    expect(query && ancestryOf(query, spans).at(-1)?.service).toContain('gateway');
  });

  test('is the caller’s own where a traceparent came', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    await mesh.admin.send('{ viewer { id } }', {}, { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
    await until(async () => (await readSpans(mesh.access.spansUrl ?? '')).some((span) => span.traceId === traceId), {
      timeoutMs: 15_000,
      what: 'a span of the given trace',
    });
  });
});

function ancestryOf(span: Span, spans: Span[]): Span[] {
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  return parent ? [span, ...ancestryOf(parent, spans)] : [span];
}

describe('The logs', () => {
  const logs = (): { name: string; text: string }[] =>
    readdirSync(join(mesh.access.directory, 'log'))
      .filter((name) => !/^(postgres|redis)/.test(name))
      .map((name) => ({ name, text: readFileSync(join(mesh.access.directory, 'log', name), 'utf8') }));

  test('are JSON, line by line, and name service and level', () => {
    for (const { name, text } of logs()) {
      for (const line of text.split('\n').filter((part) => part !== '')) {
        expect(line, name).toMatch(/^\{.*\}$/);
        expect(JSON.parse(line)).toMatchObject({ level: expect.anything(), service: expect.any(String) });
      }
    }
  });

  test('tell with the caller’s request id what orchestrator and worker did for it', async () => {
    const requestId = `trail-${Date.now()}`;
    await mesh.admin.send(
      runQueryDocument,
      { input: sqlInput(sourceId, unique('select 1'), { waitSeconds: 20 }) },
      { 'x-request-id': requestId },
    );
    const isIn = (log: string): boolean => logs().some(({ name, text }) => name === log && text.includes(requestId));
    await until(() => ['orchestrator.log', 'worker.log'].every(isIn), { what: 'the id in the logs of both' });
  });

  test('carry no secret: neither those of the installation nor those that callers sent', async () => {
    const password = 'Tell-Nobody-7431';
    const sourcePassword = 'Source-Secret-9917';
    const value = 'personal-value-5521';
    const email = `secretive-${Date.now()}@example.com`;
    await createUser(mesh.admin, { email, name: 'S', password, roleNames: ['analyst'] });
    const session = await signIn(mesh.anonymous, { email, password });
    await signIn(mesh.anonymous, { email, password: `${password}-wrong` });
    const person = await newPerson(mesh.admin, 'analyst');
    const { secret, client } = await newApiKey(person.client);
    await client.send('{ viewer { id } }');
    const source = await newDataSource(mesh.admin, 'postgres', {
      ...mesh.access.reader,
      password: sourcePassword,
      ssl: { mode: 'disable' },
    });
    await tryRun(mesh.admin, sqlInput(source.id, unique('select 1'), { waitSeconds: 10 }));
    await runToEnd(mesh.admin, sourceId, unique(`select 1 / 0 as n where '${value}' <> ''`));
    const { secrets } = mesh.access;
    const forbidden = {
      password,
      sourcePassword,
      value,
      accessToken: session.accessToken ?? '',
      refreshToken: session.refreshToken ?? '',
      secret,
      apiKey: mesh.access.apiKey,
      databasePassword: secrets.databasePassword,
      readerPassword: secrets.readerPassword,
      adminPassword: secrets.adminPassword,
      masterKey: secrets.masterKeys.split(':')[1] ?? '',
      cursorKey: secrets.cursorKeys.split(':')[1] ?? '',
      signingKey: /"d":"([^"]+)"/.exec(secrets.signingKeys)?.[1] ?? '',
    };
    const found = logs().flatMap(({ name, text }) =>
      Object.entries(forbidden)
        .filter(([, text_]) => text_.length > 8 && text.includes(text_))
        .map(([what]) => `${what} in ${name}`),
    );
    expect(found).toEqual([]);
    expect(Object.entries(forbidden).filter(([, text]) => text.length <= 8)).toEqual([]);
  });
});
