import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { DocumentNode, GraphQLError } from 'graphql';
import { LRUCache } from 'lru-cache';

/** A document that is good to run, or what is wrong with it. */
export type PreparedDocument =
  | { readonly document: DocumentNode; readonly errors?: undefined }
  | { readonly document?: undefined; readonly errors: readonly GraphQLError[] };

const documentsMax = 5_000;
const charactersMax = 16 * 1024 * 1024;

/** The documents that were seen lately, so that each is parsed and validated once, by the SHA-256 of its text. */
@Injectable()
export class PreparedDocuments {
  private readonly documents = new LRUCache<string, PreparedDocument>({ max: documentsMax, maxSize: charactersMax });

  get(text: string, prepare: () => PreparedDocument): PreparedDocument {
    const key = hash('sha256', text);
    const known = this.documents.get(key);
    if (known) return known;
    const prepared = prepare();
    this.documents.set(key, prepared, { size: Math.max(text.length, 1) });
    return prepared;
  }

  /** A good document, by the hash of its text in hexadecimal. */
  byHash(hex: string): DocumentNode | undefined {
    return this.documents.get(hex)?.document;
  }
}
