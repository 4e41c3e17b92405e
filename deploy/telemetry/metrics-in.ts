import { parser } from '@prometheus-io/lezer-promql';

/** A metric that an expression reads: by its name, or all whose names a pattern matches. */
export type MetricUse = { readonly name: string } | { readonly pattern: string };

/** @throws Error where the expression is not PromQL */
export function metricsIn(expression: string): MetricUse[] {
  // Grafana puts a duration in its place.
  const text = expression.replaceAll('$__rate_interval', '5m');
  const uses: MetricUse[] = [];
  const tree = parser.parse(text);
  tree.iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`not PromQL at ${node.from}: ${text}`);
      if (node.name === 'Identifier' && node.node.parent?.name === 'VectorSelector') {
        uses.push({ name: text.slice(node.from, node.to) });
      }
      if (node.name !== 'UnquotedLabelMatcher') return;
      const [, operator, value] = /^__name__(=~?)"(.*)"$/.exec(text.slice(node.from, node.to)) ?? [];
      if (operator !== undefined && value !== undefined) uses.push({ pattern: `^(?:${value})$` });
    },
  });
  return uses;
}
