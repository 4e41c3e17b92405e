/** What browsers and identity providers ask beside GraphQL: /v1/sso/<provider>/<action>. */
export const ssoPath = 'v1/sso';

/** Where one comes who has not said where to go. */
export const donePath = `/${ssoPath}/done`;

export function ssoPathOf(providerId: string, action: string): string {
  return `/${ssoPath}/${providerId}/${action}`;
}
