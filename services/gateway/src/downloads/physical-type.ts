/** How a column is stored in a typed format. Whatever has no better type is text, exactly as the API tells it. */
export type PhysicalType =
  | { readonly kind: 'boolean' | 'int32' | 'int64' | 'uint64' | 'double' | 'date' | 'time' | 'bytes' | 'text' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'timestamp'; readonly unit: 'micros' | 'nanos'; readonly isUtc: boolean };

/** decimal, int64, uint64, time (microseconds) and timestamp are bigints, date is a number of days since 1970. */
export type PhysicalValue = boolean | number | bigint | string | Uint8Array | null;
