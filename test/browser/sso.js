// A page as a frontend developer would write one: it signs in through the workspace's provider, and asks by the cookie that the
// browser then has, which it never sees.
import { createClient } from 'graphql-ws';

const { searchParams } = new URL(location.href);
const gateway = searchParams.get('gateway');
const answer = document.querySelector('#answer');

document.querySelector('#sign-in').href =
  `${searchParams.get('sso')}?${new URLSearchParams({ returnTo: location.href }).toString()}`;
document.querySelector('#ask').addEventListener('click', () => void ask());

async function ask() {
  const response = await fetch(gateway, {
    method: 'POST',
    credentials: 'include',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ viewer { user { email groupNames roleNames } attributes } }' }),
  });
  const { data } = await response.json();
  // Nothing but the cookie proves anything here either.
  const client = createClient({ url: gateway.replace('http', 'ws'), retryAttempts: 0 });
  const pushed = new Promise((resolve) => {
    client.subscribe({ query: '{ viewer { user { email } } }' }, { next: resolve, error: resolve, complete: () => {} });
  });
  const socket = (await pushed).data ?? null;
  answer.textContent = JSON.stringify({ http: data ?? null, socket, scripts: document.cookie });
  void client.dispose();
}
