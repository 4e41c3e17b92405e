import { shown } from '../sql-text.js';
import { isParameterName } from '../parameters/parameter-definition.js';
import { ExpressionLexer } from './expression-lexer.js';
import { ExpressionParser } from './expression-parser.js';
import type { Condition, ForBlock, IfBlock, Template, TemplateNode } from './syntax-tree.js';
import { templateError } from './template-error.js';
import { templateLimits } from './template-limits.js';

/** The tag that ended a run of nodes; its lexer stands behind the tag's name. */
interface BlockEnd {
  readonly name: string;
  readonly lexer: ExpressionLexer;
}

const tagStart = /\{\{|\{%/g;
const verbatim: Readonly<Record<string, RegExp>> = {
  raw: /\{%-?\s*endraw\s*-?%\}/g,
  comment: /\{%-?\s*endcomment\s*-?%\}/g,
};

/** Reads one template from its beginning to its end; each character is looked at once. */
export class TemplateParser {
  private at = 0;
  private tags = 0;
  private depth = 0;
  private isTrimming = false;
  private readonly names = new Set<string>();
  private readonly userNames = new Set<string>();
  /** Names that a loop has given for its time. */
  private readonly variables: string[] = [];
  private readonly expressions: ExpressionParser;

  constructor(private readonly text: string) {
    this.expressions = new ExpressionParser(text, ({ name, part, at }) => {
      if (name === 'user') this.userNames.add(part ?? '');
      else if (name === 'loop') this.assertInLoop(at);
      else if (!this.variables.includes(name)) this.names.add(name);
    });
  }

  parse(): Template {
    const { nodes } = this.nodesUntil([], 0);
    return { text: this.text, nodes, names: this.names, userNames: this.userNames };
  }

  /** Nodes up to one of the tags named; with none named, up to the end of the text. */
  private nodesUntil(ends: readonly string[], openedAt: number): { nodes: TemplateNode[]; end: BlockEnd | undefined } {
    const nodes: TemplateNode[] = [];
    for (;;) {
      const start = this.takeText(nodes);
      if (start === undefined) break;
      const lexer = new ExpressionLexer(this.text, start);
      if (this.text[start + 1] === '{') {
        nodes.push(this.expressions.output(lexer));
        this.close(lexer, '}}');
        continue;
      }
      const { text: name } = lexer.takeName("a tag's name");
      if (ends.includes(name)) return { nodes, end: { name, lexer } };
      this.takeBlock(name, lexer, start, nodes);
    }
    if (ends.length === 0) return { nodes, end: undefined };
    throw templateError(this.text, openedAt, `This block is not closed: {% ${ends.at(-1)} %} is missing.`);
  }

  /** Takes the text in front of the next tag and answers where that tag starts; undefined where there is none. */
  private takeText(nodes: TemplateNode[]): number | undefined {
    tagStart.lastIndex = this.at;
    const start = tagStart.exec(this.text)?.index;
    let text = this.text.slice(this.at, start);
    if (this.isTrimming) text = text.trimStart();
    if (start !== undefined && this.text[start + 2] === '-') text = text.trimEnd();
    this.isTrimming = false;
    if (text !== '') nodes.push({ kind: 'text', text });
    if (start !== undefined && ++this.tags > templateLimits.tagsMax) {
      throw templateError(this.text, start, `A template has at most ${templateLimits.tagsMax} tags.`);
    }
    return start;
  }

  private takeBlock(name: string, lexer: ExpressionLexer, start: number, nodes: TemplateNode[]): void {
    if (++this.depth > templateLimits.depthMax) {
      throw templateError(this.text, start, `Blocks are nested at most ${templateLimits.depthMax} deep.`);
    }
    if (name === 'if') nodes.push(this.ifBlock(lexer, start));
    else if (name === 'for') nodes.push(this.forBlock(lexer, start));
    else if (Object.hasOwn(verbatim, name)) this.takeVerbatim(name, lexer, start, nodes);
    else throw templateError(this.text, start, `A tag "${shown(name)}" is not expected here.`);
    this.depth -= 1;
  }

  private ifBlock(lexer: ExpressionLexer, start: number): IfBlock {
    const branches: { condition: Condition; body: TemplateNode[] }[] = [];
    let open: BlockEnd = { name: 'if', lexer };
    while (open.name === 'if' || open.name === 'elsif' || open.name === 'elif') {
      const condition = this.expressions.condition(open.lexer);
      this.close(open.lexer, '%}');
      const { nodes, end } = this.nodesUntil(['elsif', 'elif', 'else', 'endif'], start);
      branches.push({ condition, body: nodes });
      if (!end) break;
      open = end;
    }
    this.close(open.lexer, '%}');
    if (open.name !== 'else') return { kind: 'if', branches, otherwise: [] };
    const { nodes: otherwise, end } = this.nodesUntil(['endif'], start);
    if (end) this.close(end.lexer, '%}');
    return { kind: 'if', branches, otherwise };
  }

  private forBlock(lexer: ExpressionLexer, start: number): ForBlock {
    const variable = lexer.takeName("the name of a loop's value");
    if (!isParameterName(variable.text)) {
      throw templateError(this.text, variable.at, `"${shown(variable.text)}" cannot be the name of a loop's value.`);
    }
    if (!lexer.takeIf('name', 'in')) throw lexer.unexpected(lexer.peek(), 'in');
    const list = this.expressions.reference(lexer);
    this.close(lexer, '%}');
    this.variables.push(variable.text);
    const { nodes: body, end } = this.nodesUntil(['endfor'], start);
    this.variables.pop();
    if (end) this.close(end.lexer, '%}');
    return { kind: 'for', variable: variable.text, list, body, at: start };
  }

  private takeVerbatim(name: string, lexer: ExpressionLexer, start: number, nodes: TemplateNode[]): void {
    this.close(lexer, '%}');
    this.isTrimming = false;
    const end = verbatim[name];
    if (end) end.lastIndex = this.at;
    const match = end?.exec(this.text);
    if (!match) throw templateError(this.text, start, `This block is not closed: {% end${name} %} is missing.`);
    if (name === 'raw' && match.index > this.at) {
      nodes.push({ kind: 'text', text: this.text.slice(this.at, match.index) });
    }
    this.at = match.index + match[0].length;
  }

  private close(lexer: ExpressionLexer, brackets: '}}' | '%}'): void {
    this.isTrimming = lexer.takeClose(brackets);
    this.at = lexer.position;
  }

  private assertInLoop(at: number): void {
    if (this.variables.length === 0) throw templateError(this.text, at, 'There is no loop around this.');
  }
}
