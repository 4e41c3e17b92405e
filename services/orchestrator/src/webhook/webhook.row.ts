import type { Webhook, WebhookAttempt, WebhookDelivery } from '#libs/contracts';
import type { FinalState } from '../run/transitions.js';

/** The columns of a Webhook, of webhook `w`; its secrets are not among them. */
export const webhookColumns = `w.id, w.name, w.url, w.state, w.states, w.saved_query_ids, w.data_source_ids, w.version,
  w.created_at, w.failing_since, (select count(*)::integer from orchestrator.webhook_delivery d
    where d.webhook_id = w.id and d.state = 'PENDING') as pending_count`;

export interface WebhookRow {
  id: string;
  name: string;
  url: string;
  state: Webhook['state'];
  states: FinalState[];
  saved_query_ids: string[];
  data_source_ids: string[];
  version: number;
  created_at: Date;
  failing_since: Date | null;
  pending_count: number;
}

export function toWebhook(row: WebhookRow): Webhook {
  return {
    id: row.id,
    name: row.name,
    url: row.url,
    state: row.state,
    filter: { states: row.states, savedQueryIds: row.saved_query_ids, dataSourceIds: row.data_source_ids },
    version: row.version,
    createdAt: row.created_at,
    failingSince: row.failing_since ?? undefined,
    pendingCount: row.pending_count,
  };
}

/** The columns of a WebhookDelivery, of webhook_delivery `d`. */
export const deliveryColumns = `d.id, d.webhook_id, d.execution_id, d.state, d.event_type, d.payload, d.created_at,
  d.due_at, d.delivered_at, d.attempts, d.attempt_count`;

export interface DeliveryRow {
  id: string;
  webhook_id: string;
  execution_id: string;
  state: WebhookDelivery['state'];
  event_type: string;
  payload: string;
  created_at: Date;
  due_at: Date;
  delivered_at: Date | null;
  attempts: StoredAttempt[];
  attempt_count: number;
}

export interface StoredAttempt {
  readonly at: string;
  readonly durationMs: number;
  readonly status?: number;
  readonly failure?: string;
}

export function toDelivery(row: DeliveryRow): WebhookDelivery {
  return {
    id: row.id,
    webhookId: row.webhook_id,
    executionId: row.execution_id,
    state: row.state,
    eventType: row.event_type,
    payload: row.payload,
    createdAt: row.created_at,
    nextAttemptAt: row.state === 'PENDING' ? row.due_at : undefined,
    deliveredAt: row.delivered_at ?? undefined,
    attempts: row.attempts.map(toAttempt),
    attemptCount: row.attempt_count,
  };
}

function toAttempt({ at, ...rest }: StoredAttempt): WebhookAttempt {
  return { at: new Date(at), ...rest };
}
