import { Module } from '@nestjs/common';
import { ApiKeyExchange } from '../identity/api-key-exchange.js';
import { AuthenticatorService } from '../identity/authenticator.service.js';
import { PreparedDocuments } from '../operations/prepared-documents.js';
import { ContextFactory } from './context-factory.js';

/** What Apollo needs before there is a schema. */
@Module({
  providers: [ApiKeyExchange, AuthenticatorService, ContextFactory, PreparedDocuments],
  exports: [AuthenticatorService, ContextFactory, PreparedDocuments],
})
export class ContextModule {}
