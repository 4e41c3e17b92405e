const always = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-site',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

const plain = new Headers(always);
const encrypted = new Headers({ ...always, 'strict-transport-security': 'max-age=31536000' });

/** The gateway answers JSON and nothing that a browser should render, frame, guess at or keep. */
export function securityHeaders(isEncrypted: boolean): Headers {
  return isEncrypted ? encrypted : plain;
}
