// A client as a frontend developer would write one: it shows the rows of an execution as they come, and goes on at another
// gateway when a connection ends, behind the last event that it has shown.
import { createClient } from 'graphql-ws';

const form = document.querySelector('#follow');
const state = document.querySelector('#state');
const connections = document.querySelector('#connections');
const rows = document.querySelector('#rows');

const eventsDocument = `subscription ($id: ID!, $after: EventCursor) {
  executionEvents(id: $id, after: $after, includeRows: true) {
    __typename cursor execution { state }
    ... on ExecutionStateChanged { state }
    ... on RowsAppended { page { rows } }
    ... on EventsSkipped { reason }
  }
}`;
const downloadDocument = 'query ($id: ID!) { execution(id: $id) { result { download(format: CSV) { url } } } }';

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void follow(settings());
});
document.querySelector('#download').addEventListener('click', () => void download(settings()));

function settings() {
  const { gateways, authorization, id } = Object.fromEntries(new FormData(form));
  return { gateways: gateways.split(' '), authorization, id };
}

async function follow({ gateways, authorization, id }) {
  let after;
  for (let turn = 0; ; turn += 1) {
    // One connection for each turn, so that the next one asks for what comes behind the last cursor.
    const url = `${gateways[turn % gateways.length].replace('http', 'ws')}`;
    const client = createClient({ url, connectionParams: { authorization }, retryAttempts: 0 });
    connections.textContent = String(turn + 1);
    try {
      for await (const { data } of client.iterate({ query: eventsDocument, variables: { id, after } })) {
        show(data.executionEvents);
        after = data.executionEvents.cursor;
      }
      // The subscription completes behind the final state.
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 400));
    } finally {
      void client.dispose();
    }
  }
}

function show(event) {
  if (event.__typename === 'EventsSkipped') throw new Error(event.reason);
  if (event.__typename === 'RowsAppended') rows.append(...event.page.rows.map(toRow));
  state.textContent = event.state ?? event.execution.state;
}

function toRow(values) {
  const row = document.createElement('tr');
  row.append(
    ...values.map((value) => Object.assign(document.createElement('td'), { textContent: JSON.stringify(value) })),
  );
  return row;
}

/** The browser itself fetches the file: the address needs no header. */
async function download({ gateways, authorization, id }) {
  for (const gateway of gateways) {
    try {
      const response = await fetch(gateway, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ query: downloadDocument, variables: { id } }),
      });
      const { data } = await response.json();
      location.assign(new URL(data.execution.result.download.url, gateway));
      return;
    } catch {
      // A gateway that is gone; the next one has the same result.
    }
  }
}
