import { z } from 'zod';

const attributeName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9-]{0,99}$|^[0-9]+(\.[0-9]+)+$/, 'Name an attribute by its name or object identifier.');
const distinguishedName = z.string().min(1).max(1_000);
const filter = z
  .string()
  .max(2_000)
  .regex(/^\(.*\)$/s, 'Give a filter in parentheses, such as (uid={login}).');

/**
 * How a directory is asked. Either `userName` makes the name that a user binds by out of what was typed, or the service
 * account (`bindName`) searches the user by `userFilter` and the user's own entry is bound.
 */
export const ldapOptions = z
  .strictObject({
    url: z.string().regex(/^ldaps?:\/\/[^/?#@\s]+\/?$/, 'Give the address as ldaps://host or ldap://host:port.'),
    /** For ldap:// the connection is encrypted by StartTLS unless this is false; then passwords cross the network in clear. */
    startTls: z.boolean().optional(),
    /** In PEM, for a certificate that no public authority has signed. */
    certificateAuthority: z
      .string()
      .max(100_000)
      .includes('-----BEGIN CERTIFICATE-----', { message: 'Give a certificate in PEM.' })
      .optional(),
    bindName: distinguishedName.optional(),
    bindPassword: z.string().min(1).max(1_000).optional(),
    // A bare {login} could name a SASL mechanism, or any entry at all.
    userName: distinguishedName.regex(/[=@\\].*\{login\}|\{login\}.*[=@]/, 'Use {login} within a name.').optional(),
    userBase: distinguishedName.optional(),
    userFilter: filter.includes('{login}', { message: 'Use {login} in it.' }).optional(),
    subjectAttribute: attributeName.default('entryUUID'),
    emailAttribute: attributeName.default('mail'),
    nameAttribute: attributeName.default('cn'),
    /** More attributes that rules can use as claims. */
    claimAttributes: z.array(attributeName).max(50).default([]),
    groupBase: distinguishedName.optional(),
    /** `{dn}` is the user's entry, `{login}` what was typed. On Active Directory, nested groups are `(member:1.2.840.113556.1.4.1941:={dn})`. */
    groupFilter: filter.default('(member={dn})'),
    groupNameAttribute: attributeName.default('cn'),
  })
  .superRefine((options, context) => {
    const refuse = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
    if ((options.bindName === undefined) !== (options.bindPassword === undefined)) {
      refuse('bindPassword', 'Give bindName and bindPassword together.');
    }
    if ((options.userBase === undefined) !== (options.userFilter === undefined)) {
      refuse('userFilter', 'Give userBase and userFilter together.');
    }
    if (options.userName === undefined && (options.bindName === undefined || options.userBase === undefined)) {
      refuse('userName', 'Give userName, or bindName with userBase and userFilter.');
    }
    if (options.userName !== undefined && !options.userName.includes('=') && options.userBase === undefined) {
      refuse('userBase', 'A userName that is no distinguished name needs userBase and userFilter.');
    }
    if (options.startTls === true && options.url.startsWith('ldaps:')) {
      refuse('startTls', 'ldaps:// is encrypted from its beginning.');
    }
  });

export type LdapOptions = z.infer<typeof ldapOptions>;

/** The claim that holds the names of a user's groups. */
export const groupsClaim = 'groups';
