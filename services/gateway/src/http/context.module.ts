import { Module } from '@nestjs/common';
import { ApiKeyExchange } from '../identity/api-key-exchange.js';
import { AuthenticatorService } from '../identity/authenticator.service.js';
import { BrowserCredentials } from '../identity/browser-credentials.js';
import { SessionCookieExchange } from '../identity/session-cookie-exchange.js';
import { PreparedDocuments } from '../operations/prepared-documents.js';
import { ContextFactory } from './context-factory.js';
import { TrustedProxies } from './trusted-proxies.js';

/** What Apollo needs before there is a schema. */
@Module({
  providers: [
    ApiKeyExchange,
    AuthenticatorService,
    BrowserCredentials,
    ContextFactory,
    PreparedDocuments,
    SessionCookieExchange,
    TrustedProxies,
  ],
  exports: [AuthenticatorService, BrowserCredentials, ContextFactory, PreparedDocuments, TrustedProxies],
})
export class ContextModule {}
