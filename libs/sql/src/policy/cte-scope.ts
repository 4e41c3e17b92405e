/** The names of common table expressions that hide tables at some place; an immutable list from inside to outside. */
export interface CteScope {
  has(name: string): boolean;
  with(name: string): CteScope;
}

/** Where none is in sight. */
export const cteScope: CteScope = scopeOf(new Set());

function scopeOf(names: ReadonlySet<string>): CteScope {
  return {
    has: (name) => names.has(name),
    with: (name) => scopeOf(new Set([...names, name])),
  };
}
