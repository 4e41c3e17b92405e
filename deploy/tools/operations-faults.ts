import type { Section } from './operations-table.ts';

/** What the table of docs/operations.md may name. */
interface Repository {
  /** All files, from the root. */
  readonly paths: readonly string[];
  /** The scripts of package.json. */
  readonly scripts: readonly string[];
}

const endings = 'ts|mjs|md|json|proto|yaml|yml|conf|acl|sh|tf|tpl|sql|css|html|txt|service|timer';
/** A name with an ending of ours, or a path below a folder of the root; a star stands for a part of one name. */
const fileName = new RegExp(`[\\w.@*/-]*[\\w*-]\\.(?:${endings})(?![\\w-]|\\.\\w)`, 'g');
const folderPath = /(?<![\w./-])(?:services|libs|proto|deploy|test|docs)\/[\w.@*/-]*/g;
const scriptName = /npm run (?:-s )?([\w:-]+)/g;

/** What is wrong with the rows: a cell that says nothing, a file or a script that is not there. */
export function faultsOf(sections: readonly Section[], { paths, scripts }: Repository): readonly string[] {
  const folders = new Set(paths.flatMap(foldersOf));
  const known = [...paths, ...folders].map((path) => `/${path}`);
  const isThere = (name: string): boolean => {
    const pattern = new RegExp(`/${patternOf(name.replace(/^\.\.?\/|\/$/g, ''))}$`);
    return known.some((path) => pattern.test(path));
  };
  return sections.flatMap(({ rows }) =>
    rows.flatMap(({ item, cells }) => {
      const [, ...named] = cells;
      const names = new Set(
        named.flatMap((cell) => [...(cell.match(fileName) ?? []), ...(cell.match(folderPath) ?? [])]),
      );
      const called = named.flatMap((cell) => [...cell.matchAll(scriptName)].map(([, name = '']) => name));
      return [
        ...(cells.includes('') ? [`${item}: an empty cell`] : []),
        ...[...names].filter((name) => !isThere(name)).map((name) => `${item}: there is no ${name}`),
        ...called.filter((name) => !scripts.includes(name)).map((name) => `${item}: there is no npm run ${name}`),
      ];
    }),
  );
}

function foldersOf(path: string): readonly string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_part, index) => parts.slice(0, index + 1).join('/'));
}

function patternOf(name: string): string {
  return name.replace(/[.+]/g, String.raw`\$&`).replaceAll('*', '[^/]*');
}
