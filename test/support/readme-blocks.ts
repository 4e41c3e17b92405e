export interface TourBlock {
  language: 'sh' | 'js';
  code: string;
  /** Where the block begins in the file. */
  line: number;
}

/** The code of the fenced blocks whose info string is exactly this, in the order of the file. */
export function fencedBlocks(markdown: string, info: string): string[] {
  const blocks = markdown.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm);
  return [...blocks].flatMap(([, found, code = '']) => (found === info ? [code] : []));
}

/** The fenced blocks whose info string is exactly `sh tour` or `js tour`, in the order of the file. */
export function tourBlocks(markdown: string): TourBlock[] {
  const blocks: TourBlock[] = [];
  for (const match of markdown.matchAll(/^```(sh|js) tour\n([\s\S]*?)^```$/gm)) {
    const [, language, code = ''] = match;
    const line = markdown.slice(0, match.index).split('\n').length;
    blocks.push({ language: language === 'js' ? 'js' : 'sh', code, line });
  }
  return blocks;
}
