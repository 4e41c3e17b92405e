const always = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-site',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

type Headers = readonly (readonly [name: string, value: string])[];

const plain: Headers = Object.entries(always);
const encrypted: Headers = [...plain, ['strict-transport-security', 'max-age=31536000']];

/** The gateway answers JSON and nothing that a browser should render, frame, guess at or keep. */
export function securityHeaders(isEncrypted: boolean): Headers {
  return isEncrypted ? encrypted : plain;
}
