import { DuckDBTypeId, type DuckDBType } from '@duckdb/node-api';

/** How an entry of a struct is found in the values that the driver makes, once entriesByPlace has been called. */
export function placeOfEntry(index: number): string {
  return `#${index}`;
}

/**
 * Makes the driver key the entries of structs by their place. By name it would lose some: those of row(1, 2) have none,
 * two may have one, and an object takes `__proto__` for something else. `type` is a vector's own description of itself,
 * which it reads the names from and which nobody else holds.
 */
export function entriesByPlace(type: DuckDBType): void {
  switch (type.typeId) {
    case DuckDBTypeId.STRUCT: {
      // Read-only to its users; this is the one place that is meant to change it.
      const names = type.entryNames as string[];
      for (let index = 0; index < names.length; index += 1) names[index] = placeOfEntry(index);
      type.entryTypes.forEach(entriesByPlace);
      return;
    }
    case DuckDBTypeId.LIST:
    case DuckDBTypeId.ARRAY:
      return entriesByPlace(type.valueType);
    case DuckDBTypeId.MAP:
      entriesByPlace(type.keyType);
      return entriesByPlace(type.valueType);
    case DuckDBTypeId.UNION:
      return type.memberTypes.forEach(entriesByPlace);
    default:
  }
}
