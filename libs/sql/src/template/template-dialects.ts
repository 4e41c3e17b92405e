import type { BoundValue } from '../parameters/bound-value.js';
import type { SqlDialect } from '../prove-read-only.js';

/** What a dialect has of its own in binding. All of them cast by CAST and join texts by ||. */
export interface TemplateDialect {
  /** The placeholder of the value with that number, from 1. */
  readonly placeholder: (number: number) => string;
  /** The type that a value outside quotes is cast to. */
  readonly typeOf: (value: BoundValue) => string;
  /** A name without quotes, or a word; sticky. */
  readonly name: RegExp;
  /** One character of a name, also where it only goes on; a placeholder must not touch one. */
  readonly nameCharacter: RegExp;
  /** A placeholder that the author wrote, sticky; it would take a value that was meant for another. */
  readonly ownPlaceholder: RegExp;
  readonly quoteIdentifier: (name: string) => string;
}

/** How the dialects of this world write a placeholder. */
export const placeholders = {
  dollar: (number: number) => `$${number}`,
  question: () => '?',
  at: (number: number) => `@p${number}`,
  colon: (number: number) => `:p${number}`,
} as const;

const quoteDouble = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** An integer literal has the smallest of these types that holds it, and so has a bound integer: `current_date - 7`. */
const integerTypes: readonly (readonly [bits: number, postgres: string, duckdb: string])[] = [
  [32, 'integer', 'INTEGER'],
  [64, 'bigint', 'BIGINT'],
  [128, 'numeric', 'HUGEINT'],
];

export const templateDialects: Readonly<Record<SqlDialect, TemplateDialect>> = {
  postgres: {
    placeholder: placeholders.dollar,
    typeOf: ({ type, value }) => {
      switch (type) {
        case 'integer':
          return integerType(value, 1) ?? 'numeric';
        case 'number':
          return 'numeric';
        case 'datetime':
          return 'timestamptz';
        default:
          return type;
      }
    },
    name: /[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*/y,
    nameCharacter: /[\w$\x80-\uffff]/,
    ownPlaceholder: /\$\d+/y,
    quoteIdentifier: quoteDouble,
  },
  duckdb: {
    placeholder: placeholders.dollar,
    typeOf: ({ type, value }) => {
      switch (type) {
        case 'text':
          return 'VARCHAR';
        case 'integer':
          return integerType(value, 2) ?? 'DOUBLE';
        case 'number':
          return decimalType(value);
        case 'datetime':
          return 'TIMESTAMPTZ';
        default:
          return type.toUpperCase();
      }
    },
    // Other spaces than ASCII's are spaces to it.
    name: /(?:[A-Za-z_]|[^\0-\x7f\s])(?:[\w$]|[^\0-\x7f\s])*/y,
    nameCharacter: /[\w$]|[^\0-\x7f\s]/,
    ownPlaceholder: /\$\w+|\?/y,
    quoteIdentifier: quoteDouble,
  },
};

function integerType(value: string | null, column: 1 | 2): string | undefined {
  const digits = BigInt(value ?? '0');
  return integerTypes.find(([bits]) => BigInt.asIntN(bits, digits) === digits)?.[column];
}

/** As DuckDB types a literal with these digits: DECIMAL without an exponent while it has room, else DOUBLE. */
function decimalType(value: string | null): string {
  const [, whole = '', fraction = ''] = /^-?(\d+)(?:\.(\d*))?$/.exec(value ?? '') ?? [];
  const width = whole.length + fraction.length;
  return width === 0 || width > 38 ? 'DOUBLE' : `DECIMAL(${width},${fraction.length})`;
}
