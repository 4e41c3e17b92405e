/** The account of a local installation; its password is made at the first start. */
export const administrator = { email: 'admin@sluice.local', workspace: 'local' } as const;
