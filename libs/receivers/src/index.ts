export { failureOf } from './receiver-failures.js';
export { ReceiverClient, type ReceiverAnswer } from './receiver.client.js';
export { newWebhookSecret, signedHeaders } from './webhook-signature.js';
