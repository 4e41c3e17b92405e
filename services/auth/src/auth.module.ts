import { Module } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { CONFIG } from '#libs/config';
import { secretControllerOf } from '#libs/service';
import { secretRequests } from '#libs/contracts';
import { databaseModule, Resealer } from '#libs/database';
import { IdentityModule } from '#libs/identity';
import type { AuthConfig } from './auth.config.js';
import { ManagedUserService } from './account/managed-user.service.js';
import { PasswordChangeService } from './account/password-change.service.js';
import { PasswordHelpService } from './account/password-help.service.js';
import { PasswordProofService } from './account/password-proof.service.js';
import { PasswordController } from './account/password.controller.js';
import { ApiKeyExchangeService } from './api-key/api-key-exchange.service.js';
import { ApiKeyRotationRepository } from './api-key/api-key-rotation.repository.js';
import { ApiKeyRotationService } from './api-key/api-key-rotation.service.js';
import { ApiKeyController } from './api-key/api-key.controller.js';
import { ApiKeyRepository } from './api-key/api-key.repository.js';
import { ApiKeyService } from './api-key/api-key.service.js';
import { BootstrapLockRepository } from './bootstrap/bootstrap-lock.repository.js';
import { BootstrapService } from './bootstrap/bootstrap.service.js';
import { CredentialHealthRepository } from './health/credential-health.repository.js';
import { CredentialHealth } from './health/credential-health.service.js';
import { HealthController } from './health/health.controller.js';
import { DataKeyController } from './key-rotation/data-key.controller.js';
import { DataKeyService } from './key-rotation/data-key.service.js';
import { sealedPlaces } from './key-rotation/sealed-places.js';
import { MailSenderService } from './mail/mail-sender.service.js';
import { MailRepository } from './mail/mail.repository.js';
import { SmtpClient } from './mail/smtp.client.js';
import { CreateAccounts1795420000000 } from './migrations/1795420000000-create-accounts.js';
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
import { OpenedProviders } from './identity-provider/opened-providers.js';
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
import { MailsOfChanges1795500100000 } from './migrations/1795500100000-mails-of-changes.js';
import { FlowsWithoutWal1797070000000 } from './migrations/1797070000000-flows-without-wal.js';
import { KeysOutliveTheirMaker1795470000000 } from './migrations/1795470000000-keys-outlive-their-maker.js';
import { UserPreferences1795460000000 } from './migrations/1795460000000-user-preferences.js';
import { PasswordLinkService } from './password/password-link.service.js';
import { PasswordTokenRepository } from './password/password-token.repository.js';
import { Roles1795430000000 } from './migrations/1795430000000-roles.js';
import { ServiceAccounts1795430000001 } from './migrations/1795430000001-service-accounts.js';
import { PasswordService } from './password/password.service.js';
import { PreferencesController } from './preferences/preferences.controller.js';
import { PreferencesRepository } from './preferences/preferences.repository.js';
import { PreferencesService } from './preferences/preferences.service.js';
import { ProxyKind } from './proxy-headers/proxy.kind.js';
import { KeyAgeMetrics } from './observing/key-age-metrics.service.js';
import { KeyAgeRepository } from './observing/key-age.repository.js';
import { RetentionLoop } from './retention/retention-loop.service.js';
import { RetentionService } from './retention/retention.service.js';
import { RevocationController } from './revocation/revocation.controller.js';
import { RevocationRepository } from './revocation/revocation.repository.js';
import { SamlKeyRepository } from './saml/saml-key.repository.js';
import { SamlKeyService } from './saml/saml-key.service.js';
import { SamlKind } from './saml/saml.kind.js';
import { BrowserSessionService } from './session/browser-session.service.js';
import { SessionCookieRepository } from './session/session-cookie.repository.js';
import { ScimGroupRepository } from './scim/scim-group.repository.js';
import { ScimGroupService } from './scim/scim-group.service.js';
import { ScimUserRepository } from './scim/scim-user.repository.js';
import { ScimUserService } from './scim/scim-user.service.js';
import { ScimController } from './scim/scim.controller.js';
import { SecondFactorCheckService } from './second-factor/second-factor-check.service.js';
import { SecondFactorController } from './second-factor/second-factor.controller.js';
import { SecondFactorRepository } from './second-factor/second-factor.repository.js';
import { SecondFactorService } from './second-factor/second-factor.service.js';
import { SessionListRepository } from './session/session-list.repository.js';
import { SessionManagementController } from './session/session-management.controller.js';
import { SessionManagementService } from './session/session-management.service.js';
import { SessionOpenerService } from './session/session-opener.service.js';
import { RoleController } from './role/role.controller.js';
import { RoleRepository } from './role/role.repository.js';
import { RoleService } from './role/role.service.js';
import { GuestService } from './service-account/guest.service.js';
import { ServiceAccountController } from './service-account/service-account.controller.js';
import { ServiceAccountRepository } from './service-account/service-account.repository.js';
import { ServiceAccountService } from './service-account/service-account.service.js';
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
import { ResetThrottleService } from './throttle/reset-throttle.service.js';
import { SignInThrottleRepository } from './throttle/sign-in-throttle.repository.js';
import { SignInThrottleService } from './throttle/sign-in-throttle.service.js';
import { TransactionRepository } from './transaction/transaction.repository.js';
import { GroupController } from './user/group.controller.js';
import { GroupRepository } from './user/group.repository.js';
import { GroupService } from './user/group.service.js';
import { GroupMemberRepository } from './user/group-member.repository.js';
import { ManagedGroupRepository } from './user/managed-group.repository.js';
import { ManagedGroupService } from './user/managed-group.service.js';
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
      migrations: [
        ...[CreateAuth1795219000000, CreateAccounts1795420000000, Roles1795430000000, ServiceAccounts1795430000001],
        ...[IdentityProviders1795400000001, SamlKeys1795410000001, Scim1795440000001, UserPreferences1795460000000],
        ...[KeysOutliveTheirMaker1795470000000, MailsOfChanges1795500100000, FlowsWithoutWal1797070000000],
      ],
    }),
  ],
  controllers: [
    SigningController,
    RevocationController,
    SessionController,
    SessionManagementController,
    SecondFactorController,
    PasswordController,
    DataKeyController,
    HealthController,
    secretControllerOf(secretRequests.auth, Resealer),
    ApiKeyController,
    FederationController,
    IdentityProviderController,
    GroupController,
    PreferencesController,
    ScimController,
    RoleController,
    ServiceAccountController,
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
    ...[GroupMemberRepository, ManagedGroupRepository, ManagedGroupService],
    RoleRepository,
    RoleService,
    GuestService,
    ServiceAccountRepository,
    ServiceAccountService,
    UserRepository,
    UserService,
    ViewerService,
    ...[PreferencesRepository, PreferencesService],
    PasswordService,
    SignInThrottleRepository,
    SignInThrottleService,
    SessionRepository,
    SessionMetrics,
    SessionCookieRepository,
    SessionTokenService,
    BrowserSessionService,
    SessionService,
    SignInFailures,
    SessionOpenerService,
    SessionListRepository,
    SessionManagementService,
    SignInService,
    SecondFactorRepository,
    SecondFactorCheckService,
    SecondFactorService,
    ManagedUserService,
    PasswordProofService,
    PasswordChangeService,
    PasswordHelpService,
    PasswordTokenRepository,
    PasswordLinkService,
    ResetThrottleService,
    SmtpClient,
    MailRepository,
    MailSenderService,
    ApiKeyRepository,
    ApiKeyService,
    ApiKeyRotationRepository,
    ApiKeyRotationService,
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
    OpenedProviders,
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
    KeyAgeMetrics,
    KeyAgeRepository,
    RetentionLoop,
    RetentionService,
    ...[ScimGroupRepository, ScimGroupService, ScimUserRepository, ScimUserService],
    ...[CredentialHealth, CredentialHealthRepository],
    DataKeyService,
    {
      provide: Resealer,
      inject: [DataSource, CONFIG, WorkspaceService],
      useFactory: (database: DataSource, { masterKeys }: AuthConfig, workspaces: WorkspaceService) =>
        new Resealer(database, masterKeys, sealedPlaces, (id) => workspaces.getDataKey(id)),
    },
  ],
})
export class AuthModule {}
