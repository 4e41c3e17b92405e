export { isNetwork } from './network-list.js';
export { failureOf } from './receiver-failures.js';
export { ReceiverClient, type ReceiverAnswer, type ResolveName } from './receiver.client.js';
export { newWebhookSecret, signedHeaders } from './webhook-signature.js';
