const loginLengthMax = 320;

/**
 * What was typed as the name of a user, as a directory compares it. Letters that directories read over, such as a soft
 * hyphen, are refused: each of them would be another name to the throttle and the same one to the directory.
 */
export function normalizeLogin(typed: string): string | undefined {
  const login = typed.normalize('NFKC').trim().replaceAll(/\s+/g, ' ');
  return login.length <= loginLengthMax && /^[\p{L}\p{N}\p{P}\p{S} ]+$/u.test(login) ? login : undefined;
}
