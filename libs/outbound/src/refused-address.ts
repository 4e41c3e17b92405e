/** What was asked for lies where we must not connect to. */
export class RefusedAddress extends Error {
  readonly code = 'REFUSED_ADDRESS';

  constructor() {
    super('the address is not one that may be reached');
  }
}
