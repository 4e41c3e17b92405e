import { AppError } from '#libs/kernel';
import { shown, sqlLengthMax } from '../sql-text.js';
import type { BoundValue } from '../parameters/bound-value.js';
import type { TimeContext } from '../parameters/civil-time.js';
import { evaluateCondition, type ConditionContext } from './evaluate-condition.js';
import { filterNamed } from './filters.js';
import type { StatementPart } from './statement-part.js';
import type { FilterCall, ForBlock, Output, Template, TemplateNode } from './syntax-tree.js';
import { templateError } from './template-error.js';
import { templateLimits } from './template-limits.js';
import type { ScopedValue, TemplateScope } from './template-scope.js';

/** Takes a template's branches and loops, and answers the text and the values that they come to, in order. */
export function renderParts(template: Template, scope: TemplateScope, time: TimeContext): StatementPart[] {
  const rendering = new Rendering(template, scope, time);
  rendering.renderAll(template.nodes);
  return rendering.parts;
}

class Rendering {
  readonly parts: StatementPart[] = [];
  private steps = 0;
  private characters = 0;
  private readonly conditions: ConditionContext;

  constructor(
    private readonly template: Template,
    private readonly scope: TemplateScope,
    private readonly time: TimeContext,
  ) {
    this.conditions = {
      time,
      valueOf: (reference) => scope.read(reference).value,
      countStep: () => this.countStep(),
      fault: (at, message) => this.fault(at, message),
    };
  }

  renderAll(nodes: readonly TemplateNode[]): void {
    for (const node of nodes) this.render(node);
  }

  private render(node: TemplateNode): void {
    this.countStep();
    switch (node.kind) {
      case 'text':
        this.addText(node.text);
        return;
      case 'output':
        this.parts.push(this.outputOf(node));
        return;
      case 'if': {
        const branch = node.branches.find(({ condition }) => evaluateCondition(condition, this.conditions));
        this.renderAll(branch ? branch.body : node.otherwise);
        return;
      }
      case 'for':
        this.renderLoop(node);
        return;
    }
  }

  private renderLoop({ variable, list, body, at }: ForBlock): void {
    const { value, path, isFromOptions } = this.scope.read(list);
    if (value.kind !== 'list') throw this.fault(at, `"${shown(path.join('.'))}" is no list.`);
    const state = (type: BoundValue['type'], text: string): ScopedValue => ({
      value: { kind: 'scalar', value: { type, value: text } },
      path: ['loop'],
      isFromOptions: false,
    });
    const last = value.items.length - 1;
    for (const [index, item] of value.items.entries()) {
      this.countStep();
      this.scope.enter([
        [variable, { value: { kind: 'scalar', value: item }, path: [...path, String(index)], isFromOptions }],
        ['loop.index', state('integer', String(index + 1))],
        ['loop.first', state('boolean', String(index === 0))],
        ['loop.last', state('boolean', String(index === last))],
      ]);
      this.renderAll(body);
      this.scope.leave();
    }
  }

  private outputOf({ reference, filters, at }: Output): StatementPart {
    const read = this.scope.read(reference);
    const label = read.path.join('.');
    if (read.value.kind === 'range') {
      throw this.fault(at, `"${shown(label)}" is a range: write ${shown(label)}.start or ${shown(label)}.end`);
    }
    const values = read.value.kind === 'list' ? read.value.items : [read.value.value];
    if (filters.some(({ name }) => name === 'identifier')) {
      if (filters.length > 1) throw this.fault(at, 'The filter identifier stands alone');
      return { kind: 'identifiers', names: this.identifiersOf(values, read, at), label, at };
    }
    const filtered = values.map((value, index) => this.filter(value, filters, read, index));
    const isTyped = filters.some(({ name }) => name !== 'list');
    if (read.value.kind === 'scalar' && !filters.some(({ name }) => name === 'list')) {
      const [value] = filtered;
      if (value) return { kind: 'value', value, isTyped, label, at };
    }
    // A parameter without a value is a list without values.
    return { kind: 'list', values: filtered.filter(({ value }) => value !== null), isTyped, label, at };
  }

  private filter(value: BoundValue, filters: readonly FilterCall[], read: ScopedValue, index: number): BoundValue {
    let current = value;
    for (const { name, argument } of filters) {
      const filter = filterNamed(name);
      const next = filter ? filter.apply(current, argument, this.time) : current;
      if (next === undefined) {
        const path = read.value.kind === 'list' ? [...read.path, String(index)] : read.path;
        const message = `Parameter "${shown(path.join('.'))}" must be ${filter?.expected ?? 'something else'}.`;
        throw new AppError('parameter.invalid', message, { path });
      }
      current = next;
    }
    return current;
  }

  private identifiersOf(values: readonly BoundValue[], { path, isFromOptions }: ScopedValue, at: number): string[] {
    const label = shown(path.join('.'));
    if (!isFromOptions)
      throw this.fault(at, `"${label}" can be an identifier only with the list of them in its options`);
    const names = values.map(({ type, value }) => (type === 'text' ? value : null));
    if (names.length > 0 && names.every((name) => name !== null && name !== '')) return names.map(String);
    throw new AppError('parameter.missing', `Parameter "${label}" is missing; it must be an identifier.`, { path });
  }

  private addText(text: string): void {
    this.characters += text.length;
    if (this.characters > sqlLengthMax) {
      throw new AppError('sql.too_long', `The template makes a statement of more than ${sqlLengthMax} characters.`);
    }
    const last = this.parts.at(-1);
    // A token may begin in one piece of text and end in the next.
    if (last?.kind === 'text') this.parts[this.parts.length - 1] = { kind: 'text', text: last.text + text };
    else this.parts.push({ kind: 'text', text });
  }

  private countStep(): void {
    if (++this.steps <= templateLimits.stepsMax) return;
    throw new AppError('sql.rejected', `The template takes more than ${templateLimits.stepsMax} steps to render.`);
  }

  private fault(at: number, message: string): Error {
    return templateError(this.template.text, at, message);
  }
}
