import type { BoundValue } from '../parameters/bound-value.js';
import type { TemplateCaller } from '../parameters/caller.js';
import type { TimeContext } from '../parameters/civil-time.js';
import type { ResolvedParameter } from '../parameters/resolve-parameters.js';
import type { SqlDialect } from '../prove-read-only.js';
import { hasTags, parseTemplate } from './parse-template.js';
import { renderParts } from './render-parts.js';
import { StatementWriter } from './statement-writer.js';
import { templateDialects, type TemplateDialect } from './template-dialects.js';
import { templateError } from './template-error.js';
import { TemplateScope } from './template-scope.js';

export interface RenderOptions extends TimeContext {
  readonly dialect: SqlDialect;
  /** Of `resolveParameters`; a predicate of a row policy has none. */
  readonly parameters?: ReadonlyMap<string, ResolvedParameter> | undefined;
  readonly caller?: TemplateCaller | undefined;
  /** The number of the first value's placeholder; 1 where none is named. */
  readonly firstPlaceholder?: number | undefined;
}

export interface RenderedSql {
  /** With placeholders of the dialect; a text without tags as it was. */
  readonly sql: string;
  /** In the order of their placeholders, which are never used twice. */
  readonly values: readonly BoundValue[];
}

/**
 * The statement, or the part of one, that a template comes to. No value is ever part of the text: each is bound, in
 * quotes too, and where that cannot be done soundly the template is refused.
 *
 * @throws AppError sql.rejected with line and column; sql.too_long; parameter.missing; parameter.invalid with a path
 * that begins with the parameter's name; parameter.attribute_absent where the caller has no such value, and then no
 * row may be shown by a policy
 */
export function renderTemplate(text: string, options: RenderOptions): RenderedSql {
  if (!hasTags(text)) return { sql: text, values: [] };
  return renderForDialect(text, templateDialects[options.dialect], options);
}

/** The same for any row of the table of dialects. */
export function renderForDialect(
  text: string,
  dialect: TemplateDialect,
  { nowMs, timeZone, parameters, caller, firstPlaceholder }: Omit<RenderOptions, 'dialect'>,
): RenderedSql {
  const template = parseTemplate(text);
  const scope = new TemplateScope(text, parameters ?? new Map(), caller);
  const writer = new StatementWriter(dialect, firstPlaceholder ?? 1, ({ at, label }, message) =>
    templateError(text, at, `${message}: ${label}`),
  );
  for (const part of renderParts(template, scope, { nowMs, timeZone })) {
    if (part.kind === 'text') writer.addText(part.text);
    else writer.addValue(part);
  }
  return writer.finish();
}
