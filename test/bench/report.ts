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

export function toMarkdown(results: readonly BenchResult[], machine: Machine, date: Date): string {
  return [
    '# Benchmarks',
    '',
    '`npm run bench` measures this table again and writes it here. Each line has a control that is measured in the same',
    'run, in rounds that alternate with ours; ratio and difference are taken within each round and given as median',
    '[least … most]. Ratios hold from machine to machine; absolute figures do not.',
    '',
    `Measured on ${date.toISOString().slice(0, 10)}: Node ${machine.node}, ${machine.cores} x ${machine.cpu}, ${machine.memoryGib} GiB.`,
    '',
    ...results.flatMap((result) => sectionOf(result)),
  ].join('\n');
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

function sectionOf({ name, method, measures }: BenchResult): string[] {
  return [
    `## ${name}`,
    '',
    method,
    '',
    '| measure | unit | ours | control | ratio | difference | rounds | target | met |',
    '|---|---|---|---|---|---|---|---|---|',
    ...measures.map((measure) => rowOf(measure, summarize(measure))),
    '',
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
