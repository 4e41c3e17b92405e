interface Shown {
  readonly sub: string;
  readonly name: string;
  readonly email: string;
}

/** More are not shown, and one writes who to be. */
const shownMax = 20;

/** Where one chooses who to be. */
export function signInPage(accounts: readonly Shown[]): string {
  const choices =
    accounts.length > shownMax
      ? ['<p><input name="account" aria-label="Account"><button>Sign in</button></p>']
      : accounts.map(
          ({ sub, name, email }) => `<p><button name="account" value="${sub}">${name} (${email})</button></p>`,
        );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Local identity provider</title>
<h1>Local identity provider</h1>
<p>Sign in as</p>
<form method="post">
${choices.join('\n')}
</form>
</html>
`;
}
