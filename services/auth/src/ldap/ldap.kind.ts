import { Injectable } from '@nestjs/common';
import type { ProviderKind } from '../identity-provider/provider-kind.js';
import { ldapOptions, type LdapOptions } from './ldap-options.js';

/** LDAP and Active Directory. Nobody is sent anywhere: `signIn` takes the password (see LdapSignInService). */
@Injectable()
export class LdapKind implements ProviderKind<LdapOptions> {
  readonly name = 'LDAP';
  readonly options = ldapOptions;
  readonly secretNames = ['bindPassword'];
  readonly destination = ['url', 'startTls', 'certificateAuthority'];
  readonly beginningActions = new Set<string>();
  readonly actions = {};
}
