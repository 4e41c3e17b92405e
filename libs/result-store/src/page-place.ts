import { AppError, isId } from '#libs/kernel';

/** Where one page lies. The fence keeps two writers of one run from ever sharing an object. */
export interface PagePlace {
  readonly workspaceId: string;
  readonly runId: string;
  readonly fence: number;
  readonly page: number;
}

/**
 * `<workspace>/<run>/<fence>/<page>`. Each part is checked to be an id or a whole number, so that no text from outside
 * becomes a path.
 */
export function objectKey({ fence, page, ...run }: PagePlace): string {
  return `${runKey(run)}/${wholeNumber('fence', fence)}/${wholeNumber('page', page)}`;
}

export function runKey({ workspaceId, runId }: Pick<PagePlace, 'workspaceId' | 'runId'>): string {
  if (!isId('workspace', workspaceId)) throw badPlace('workspace', workspaceId);
  if (!isId('run', runId)) throw badPlace('run', runId);
  return `${workspaceId}/${runId}`;
}

export function wholeNumber(name: string, value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw badPlace(name, value);
  return String(value);
}

function badPlace(name: string, value: string | number): AppError {
  return new AppError('internal', 'Something went wrong on our side.', {
    internalMessage: `not a ${name} of a stored page: ${JSON.stringify(value).slice(0, 80)}`,
  });
}
