import type { JsonObject, JsonValue } from '#libs/kernel';
import type { TemplateCaller } from '../parameters/caller.js';
import type { TimeContext } from '../parameters/civil-time.js';
import type { ParameterDefinition } from '../parameters/parameter-definition.js';
import { resolveParameters } from '../parameters/resolve-parameters.js';
import type { SqlDialect } from '../prove-read-only.js';
import { hasTags, parseTemplate } from './parse-template.js';
import { renderTemplate, type RenderedSql } from './render-template.js';

export interface TemplateInput extends TimeContext {
  readonly text: string;
  readonly dialect: SqlDialect;
  /** As `checkDefinitions` has found nothing wrong with. */
  readonly definitions: readonly ParameterDefinition[];
  readonly given: JsonObject;
  readonly caller: TemplateCaller | undefined;
  /** By the name of each parameter that has an optionsQueryId: what its query answers now. Without it nothing is allowed. */
  readonly queryOptions?: ReadonlyMap<string, readonly JsonValue[]> | undefined;
}

export interface BoundTemplate extends RenderedSql {
  /** As `Execution.parameters` shows them: with defaults, and words such as `last 7 days` as what they came to. */
  readonly parameters: JsonObject;
}

const noNames: ReadonlySet<string> = new Set();

/**
 * What is to be run for a question: the statement, its values, and the parameters as they were resolved.
 * @throws AppError as `resolveParameters` and `renderTemplate` do; paths begin with the parameter's name
 */
export function bindTemplate(input: TemplateInput): BoundTemplate {
  const { text, dialect, nowMs, timeZone, caller, definitions, given } = input;
  // Most statements have nothing to bind.
  if (!hasTags(text) && definitions.length === 0 && Object.keys(given).length === 0) {
    return { sql: text, values: [], parameters: {} };
  }
  const names = hasTags(text) ? parseTemplate(text).names : noNames;
  const { values, parameters } = resolveParameters({ ...input, names });
  return { ...renderTemplate(text, { dialect, nowMs, timeZone, caller, parameters: values }), parameters };
}
