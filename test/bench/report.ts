import { cpus, totalmem } from 'node:os';
import { describeTarget, summarize, type Measure, type Summary } from './measure.ts';
import type { Spread } from './statistics.ts';

/** What a bench has found, and what a reader must know to judge it. */
export interface BenchResult {
  name: string;
  /** How it is measured, in sentences. */
  method: string;
  measures: readonly Measure[];
}

export interface Machine {
  node: string;
  cpu: string;
  cores: number;
  memoryGib: number;
}

export function thisMachine(): Machine {
  const processors = cpus();
  return {
    node: process.version,
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
  };
}

const head = `# Benchmarks

\`npm run bench\` measures these tables again and writes them here. Each line has a control that is measured in the same
run, in rounds that alternate with ours; ratio and difference are taken within each round and given as median
[least … most]. Ratios hold from machine to machine; absolute figures do not.
`;

/** Where a bench's section begins, by the name that \`--only\` knows it by. */
const sectionMark = /^<!-- bench: ([a-z-]+) -->\n/gm;

/**
 * The table with one bench measured anew, in the order of \`names\`. Sections of others stay as they were measured.
 * @param table what was written before, if anything was
 */
export function withSection(
  table: string,
  names: readonly string[],
  { name, result }: { name: string; result: BenchResult },
  measured: { machine: Machine; date: Date },
): string {
  const [, ...parts] = table.split(sectionMark);
  const sections = new Map<string, string>();
  for (let at = 0; at + 1 < parts.length; at += 2) sections.set(parts[at] ?? '', (parts[at + 1] ?? '').trimEnd());
  sections.set(name, sectionOf(result, measured).join('\n'));
  const inOrder = names.flatMap((each) => {
    const section = sections.get(each);
    return section === undefined ? [] : [`\n<!-- bench: ${each} -->\n\n${section.trim()}\n`];
  });
  return [head, ...inOrder].join('');
}

export function toJson(results: readonly BenchResult[], machine: Machine, date: Date): string {
  const measured = results.map(({ name, measures }) => ({
    name,
    measures: measures.map((measure) => ({ ...measure, ...summarize(measure) })),
  }));
  return `${JSON.stringify({ date: date.toISOString(), machine, results: measured }, null, 2)}\n`;
}

export function hasMissed({ measures }: BenchResult): boolean {
  return measures.some((measure) => summarize(measure).isMet === false);
}

/** One line for the terminal. */
export function toLine(measure: Measure): string {
  const { ours, control, ratio, isMet } = summarize(measure);
  const verdict = isMet === undefined ? '' : isMet ? '  met' : '  NOT MET';
  const target = measure.target ? `  (${describeTarget(measure.target)})` : '';
  return `  ${measure.name}: ${show(ours.median)} ${measure.unit}, control ${show(control.median)}, ratio ${show(ratio.median)}${target}${verdict}`;
}

function sectionOf(
  { name, method, measures }: BenchResult,
  { machine, date }: { machine: Machine; date: Date },
): string[] {
  const { node, cores, cpu, memoryGib } = machine;
  return [
    `## ${name}`,
    '',
    method,
    '',
    `Measured on ${date.toISOString().slice(0, 10)}: Node ${node}, ${cores} x ${cpu}, ${memoryGib} GiB.`,
    '',
    '| measure | unit | ours | control | ratio | difference | rounds | target | met |',
    '|---|---|---|---|---|---|---|---|---|',
    ...measures.map((measure) => rowOf(measure, summarize(measure))),
  ];
}

function rowOf(measure: Measure, { ours, control, ratio, difference, isMet }: Summary): string {
  const cells = [
    measure.name,
    measure.unit,
    show(ours.median),
    `${show(control.median)} (${measure.control})`,
    showSpread(ratio),
    showSpread(difference),
    String(measure.rounds.length),
    measure.target ? describeTarget(measure.target) : '',
    isMet === undefined ? '' : isMet ? 'yes' : 'no',
  ];
  return `| ${cells.join(' | ')} |`;
}

function showSpread({ median, min, max }: Spread): string {
  return `${show(median)} [${show(min)} … ${show(max)}]`;
}

function show(value: number): string {
  if (!Number.isFinite(value)) return 'none';
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}
