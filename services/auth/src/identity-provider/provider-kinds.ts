import { Injectable } from '@nestjs/common';
import { AppError } from '#libs/kernel';
import { LdapKind } from '../ldap/ldap.kind.js';
import { OidcKind } from '../oidc/oidc.kind.js';
import { ProxyKind } from '../proxy-headers/proxy.kind.js';
import { SamlKind } from '../saml/saml.kind.js';
import type { ProviderKindName } from './identity-provider.types.js';
import type { ProviderKind } from './provider-kind.js';

/** The kinds of providers that there are. A new one is a class of its own and a line here. */
@Injectable()
export class ProviderKinds {
  private readonly byName: ReadonlyMap<ProviderKindName, ProviderKind>;

  constructor(oidc: OidcKind, saml: SamlKind, ldap: LdapKind, proxy: ProxyKind) {
    // Options reach a kind only after its own schema has made them what the kind takes.
    const kinds = [oidc, saml, ldap, proxy] as unknown as readonly ProviderKind[];
    this.byName = new Map(kinds.map((kind) => [kind.name, kind]));
  }

  /** @throws AppError `input.invalid` at `kind` */
  get(name: ProviderKindName): ProviderKind {
    const kind = this.byName.get(name);
    if (kind) return kind;
    const known = [...this.byName.keys()].join(', ');
    throw new AppError('input.invalid', `This kind of provider is not known. Kinds are ${known}.`, { path: ['kind'] });
  }
}
