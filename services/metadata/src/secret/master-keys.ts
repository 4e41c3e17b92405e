/** The token of the MasterKeys of this service's settings. */
export const MASTER_KEYS = Symbol('master keys');
