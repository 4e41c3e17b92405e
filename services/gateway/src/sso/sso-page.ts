/** Where one comes who has not said where to go. */
export const donePage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Done</title>
<h1>Done</h1>
<p>You can close this page, and go on where you came from.</p>
</html>
`;

/** The one plain page that a failed sign-in ends on. It holds nothing that came with the request. */
export function failurePage(code: string, message: string, requestId: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Signing in failed</title>
<h1>Signing in failed</h1>
<p>${escapeHtml(message)}</p>
<p>Code: <code id="code">${escapeHtml(code)}</code></p>
<p>Request: <code id="request">${escapeHtml(requestId)}</code></p>
<p>Try again from the page that you came from. Whoever runs this service finds the reason under the request’s id.</p>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
