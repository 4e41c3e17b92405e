import type { Column } from '#libs/contracts';
import { invalidInput } from '../errors/user-error.js';

/** How many names an error tells. */
const namesMax = 20;

/** The places of the chosen columns. @throws AppError input.invalid for one that is not there or is named twice */
export function columnIndexes(columns: readonly Column[], chosen: readonly string[]): number[] {
  checkColumnsDistinct(chosen);
  return chosen.map((name, place) => {
    const index = columns.findIndex((column) => column.name === name);
    if (index < 0) {
      const message = `the result has no column ${JSON.stringify(name)}; it has ${namesOf(columns)}`;
      throw invalidInput(message, 'columns', String(place));
    }
    return index;
  });
}

export function checkColumnsDistinct(chosen: readonly string[]): void {
  const place = chosen.findIndex((name, index) => chosen.indexOf(name) < index);
  if (place >= 0) {
    throw invalidInput(`column ${JSON.stringify(chosen[place])} is asked for twice`, 'columns', String(place));
  }
}

function namesOf(columns: readonly Column[]): string {
  const names = columns.slice(0, namesMax).map(({ name }) => JSON.stringify(name));
  return names.join(', ') + (columns.length > namesMax ? ` and ${columns.length - namesMax} more` : '');
}
