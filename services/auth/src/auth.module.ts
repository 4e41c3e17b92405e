import { Module } from '@nestjs/common';
import { databaseModule } from '#libs/database';
import { IdentityModule } from '#libs/identity';
import { ApiKeyExchangeService } from './api-key/api-key-exchange.service.js';
import { ApiKeyController } from './api-key/api-key.controller.js';
import { ApiKeyRepository } from './api-key/api-key.repository.js';
import { ApiKeyService } from './api-key/api-key.service.js';
import { BootstrapLockRepository } from './bootstrap/bootstrap-lock.repository.js';
import { BootstrapService } from './bootstrap/bootstrap.service.js';
import { ExternalIdentityRepository } from './federation/external-identity.repository.js';
import { FederatedSessionRepository } from './federation/federated-session.repository.js';
import { FederatedSignInService } from './federation/federated-sign-in.service.js';
import { FederationController } from './federation/federation.controller.js';
import { SignInPolicyService } from './federation/sign-in-policy.service.js';
import { SsoFlowRepository } from './federation/sso-flow.repository.js';
import { SsoService } from './federation/sso.service.js';
import { IdentityProviderController } from './identity-provider/identity-provider.controller.js';
import { IdentityProviderRepository } from './identity-provider/identity-provider.repository.js';
import { IdentityProviderService } from './identity-provider/identity-provider.service.js';
import { ProviderKinds } from './identity-provider/provider-kinds.js';
import { ProviderSecrets } from './identity-provider/provider-secrets.service.js';
import { LdapDirectoryClient } from './ldap/ldap-directory.client.js';
import { LdapProviderRepository } from './ldap/ldap-provider.repository.js';
import { LdapSignInService } from './ldap/ldap-sign-in.service.js';
import { LdapKind } from './ldap/ldap.kind.js';
import { CreateAuth1795219000000 } from './migrations/1795219000000-create-auth.js';
import { IdentityProviders1795400000001 } from './migrations/1795400000001-identity-providers.js';
import { BackChannelLogoutService } from './oidc/back-channel-logout.service.js';
import { OidcClient } from './oidc/oidc.client.js';
import { SamlKeys1795410000001 } from './migrations/1795410000001-saml-keys.js';
import { OidcKind } from './oidc/oidc.kind.js';
import { Scim1795440000001 } from './migrations/1795440000001-scim.js';
import { PasswordService } from './password/password.service.js';
import { ProxyKind } from './proxy-headers/proxy.kind.js';
import { RetentionService } from './retention/retention.service.js';
import { RevocationController } from './revocation/revocation.controller.js';
import { RevocationRepository } from './revocation/revocation.repository.js';
import { SamlKeyRepository } from './saml/saml-key.repository.js';
import { SamlKeyService } from './saml/saml-key.service.js';
import { SamlKind } from './saml/saml.kind.js';
import { BrowserSessionService } from './session/browser-session.service.js';
import { SessionCookieRepository } from './session/session-cookie.repository.js';
import { SessionOpener } from './session/session-opener.service.js';
import { ScimGroupRepository } from './scim/scim-group.repository.js';
import { ScimGroupService } from './scim/scim-group.service.js';
import { ScimUserRepository } from './scim/scim-user.repository.js';
import { ScimUserService } from './scim/scim-user.service.js';
import { ScimController } from './scim/scim.controller.js';
import { SessionTokenService } from './session/session-token.service.js';
import { ActForService } from './session/act-for.service.js';
import { SessionController } from './session/session.controller.js';
import { SessionMetrics } from './session/session.metrics.js';
import { SessionRepository } from './session/session.repository.js';
import { SessionService } from './session/session.service.js';
import { SignInFailures } from './session/sign-in-failures.service.js';
import { SignInService } from './session/sign-in.service.js';
import { SigningController } from './signing/signing.controller.js';
import { TokenIssuerService } from './signing/token-issuer.service.js';
import { SignInThrottleRepository } from './throttle/sign-in-throttle.repository.js';
import { SignInThrottleService } from './throttle/sign-in-throttle.service.js';
import { TransactionRepository } from './transaction/transaction.repository.js';
import { GroupController } from './user/group.controller.js';
import { GroupRepository } from './user/group.repository.js';
import { GroupService } from './user/group.service.js';
import { UserController } from './user/user.controller.js';
import { UserRepository } from './user/user.repository.js';
import { UserService } from './user/user.service.js';
import { ViewerController } from './viewer/viewer.controller.js';
import { ViewerService } from './viewer/viewer.service.js';
import { WorkspaceController } from './workspace/workspace.controller.js';
import { WorkspaceRepository } from './workspace/workspace.repository.js';
import { WorkspaceService } from './workspace/workspace.service.js';

@Module({
  imports: [
    IdentityModule,
    databaseModule({
      entities: [],
      migrations: [CreateAuth1795219000000, IdentityProviders1795400000001, SamlKeys1795410000001, Scim1795440000001],
    }),
  ],
  controllers: [
    SigningController,
    RevocationController,
    SessionController,
    ApiKeyController,
    FederationController,
    IdentityProviderController,
    GroupController,
    ScimController,
    UserController,
    ViewerController,
    WorkspaceController,
  ],
  providers: [
    TransactionRepository,
    TokenIssuerService,
    ActForService,
    RevocationRepository,
    WorkspaceRepository,
    WorkspaceService,
    GroupRepository,
    GroupService,
    UserRepository,
    UserService,
    ViewerService,
    PasswordService,
    SignInThrottleRepository,
    SignInThrottleService,
    SessionRepository,
    SessionMetrics,
    SessionCookieRepository,
    SessionOpener,
    SessionTokenService,
    BrowserSessionService,
    SessionService,
    SignInFailures,
    SignInService,
    ApiKeyRepository,
    ApiKeyService,
    ApiKeyExchangeService,
    BackChannelLogoutService,
    OidcClient,
    OidcKind,
    SamlKeyRepository,
    SamlKeyService,
    SamlKind,
    LdapDirectoryClient,
    LdapProviderRepository,
    LdapSignInService,
    LdapKind,
    ProxyKind,
    ProviderKinds,
    ProviderSecrets,
    IdentityProviderRepository,
    IdentityProviderService,
    ExternalIdentityRepository,
    FederatedSessionRepository,
    FederatedSignInService,
    SignInPolicyService,
    SsoFlowRepository,
    SsoService,
    BootstrapLockRepository,
    BootstrapService,
    RetentionService,
    ...[ScimGroupRepository, ScimGroupService, ScimUserRepository, ScimUserService],
  ],
})
export class AuthModule {}
