const lengthMax = 100;

/** A language tag (BCP 47). */
export function isLocale(tag: string): boolean {
  if (tag === '' || tag.length > lengthMax) return false;
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}
