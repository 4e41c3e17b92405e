/** The workers that take runs from one queue. All of them are bound to the same sources and types, or none is to any. */
export interface Crew {
  readonly queue: string;
  /** Of those that live; none where all of them are away for a moment. */
  readonly slots: number;
  readonly sourceIds: readonly string[];
  readonly sourceTypes: readonly string[];
}

/** The sources of a crew: those that are named, or else all but those. */
export interface CrewSources {
  readonly ids: readonly string[];
  readonly types: readonly string[];
  readonly areServed: boolean;
}

/** Workers that are bound take nothing but their sources; the others take all that nobody is bound to. */
export function sourcesOf(crew: Crew, crews: readonly Crew[]): CrewSources {
  if (isBound(crew)) return { ids: crew.sourceIds, types: crew.sourceTypes, areServed: true };
  const bound = crews.filter(isBound);
  return {
    ids: bound.flatMap(({ sourceIds }) => sourceIds),
    types: bound.flatMap(({ sourceTypes }) => sourceTypes),
    areServed: false,
  };
}

function isBound({ sourceIds, sourceTypes }: Crew): boolean {
  return sourceIds.length > 0 || sourceTypes.length > 0;
}
