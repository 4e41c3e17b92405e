/** Why a response of an identity provider was refused; for the log, as the browser learns nothing of it. */
export type SamlFaultReason =
  | 'algorithm'
  | 'audience'
  | 'destination'
  | 'doctype'
  | 'expired'
  | 'in_response_to'
  | 'issuer'
  | 'malformed'
  | 'not_yet_valid'
  | 'recipient'
  | 'replayed'
  | 'shape'
  | 'signature'
  | 'status'
  | 'subject'
  | 'unsigned';

export class SamlFault extends Error {
  override readonly name = 'SamlFault';

  constructor(
    readonly reason: SamlFaultReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
