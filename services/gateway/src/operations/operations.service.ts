import { Injectable } from '@nestjs/common';
import { GraphQLSchemaHost } from '@nestjs/graphql';
import {
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type GraphQLSchema,
} from 'graphql';
import { InjectConfig } from '#libs/config';
import type { GatewayConfig } from '../gateway.config.js';
import { measureDocument } from './measure-operation.js';
import { PreparedDocuments, type PreparedDocument } from './prepared-documents.js';

/** A document with a hundred faults is no better told than one with a few. */
const errorsMax = 5;

/**
 * Parses, measures and validates documents, in this order and each of them once, for HTTP and WebSocket alike. The limits
 * come before validation because a document can be built to make validation slow.
 */
@Injectable()
export class OperationsService {
  private readonly rules;

  constructor(
    private readonly schemaHost: GraphQLSchemaHost,
    private readonly prepared: PreparedDocuments,
    @InjectConfig() private readonly config: Pick<GatewayConfig, 'limits' | 'introspection'>,
  ) {
    this.rules = config.introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  }

  get schema(): GraphQLSchema {
    return this.schemaHost.schema;
  }

  prepare(text: string): PreparedDocument {
    return this.prepared.get(text, () => this.prepareAnew(text));
  }

  private prepareAnew(text: string): PreparedDocument {
    const { tokens } = this.config.limits;
    let document;
    try {
      document = parse(text, { maxTokens: tokens });
    } catch (error) {
      if (error instanceof GraphQLError) return { errors: [error] };
      throw error;
    }
    const excess = this.excessOf(document);
    if (excess) return { errors: [new GraphQLError(excess)] };
    const errors = validate(this.schema, document, this.rules, { maxErrors: errorsMax });
    return errors.length > 0 ? { errors } : { document };
  }

  private excessOf(document: DocumentNode): string | undefined {
    const { depth, aliases, directives, fields } = this.config.limits;
    const measure = measureDocument(document);
    const limits = [
      ['nests too deep', measure.depth, depth],
      ['has too many fields', measure.fields, fields],
      ['has too many aliases', measure.aliases, aliases],
      ['has too many directives', measure.directives, directives],
      ['has too many directives at one place', measure.directivesAtOnce, Math.ceil(directives / 10)],
    ] as const;
    const exceeded = limits.find(([, value, max]) => value > max);
    return exceeded && `The document ${exceeded[0]}.`;
  }
}
