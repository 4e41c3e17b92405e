import type { Column } from '#libs/contracts';
import { invalidInput } from '../errors/user-error.js';

/** The places of the chosen columns. @throws AppError input.invalid for one that is not there or is named twice */
export function columnIndexes(columns: readonly Column[], chosen: readonly string[]): number[] {
  checkColumnsDistinct(chosen);
  return chosen.map((name, place) => {
    const index = columns.findIndex((column) => column.name === name);
    if (index < 0) throw invalidInput(`the result has no column ${JSON.stringify(name)}`, 'columns', String(place));
    return index;
  });
}

export function checkColumnsDistinct(chosen: readonly string[]): void {
  const place = chosen.findIndex((name, index) => chosen.indexOf(name) < index);
  if (place >= 0) {
    throw invalidInput(`column ${JSON.stringify(chosen[place])} is asked for twice`, 'columns', String(place));
  }
}
