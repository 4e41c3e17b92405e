const exemplar = / # \{[^}]*\} \S+ \S+$/gm;

/**
 * OpenMetrics as the older text of Prometheus: without exemplars and its end mark, and with counters under the full name of their
 * series. Made from the other text, as the registry renames its counters for good when it writes OpenMetrics.
 */
export function toPlainText(openMetrics: string): string {
  const counters = new Set([...openMetrics.matchAll(/^# TYPE (\S+) counter$/gm)].map(([, name]) => name));
  return openMetrics
    .replace(/^# (?:HELP|TYPE) (\S+)/gm, (head, name: string) => (counters.has(name) ? `${head}_total` : head))
    .replace(exemplar, '')
    .replace(/# EOF\n$/, '');
}
