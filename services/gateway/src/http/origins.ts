/** Which web pages may use the gateway: its own, those listed, or any. What is no browser sends no Origin. */
export class Origins {
  private readonly isAnyAllowed: boolean;
  private readonly allowed: ReadonlySet<string>;

  constructor(allowed: readonly string[]) {
    this.isAnyAllowed = allowed.includes('*');
    this.allowed = new Set(allowed);
  }

  /** Whether a page of `origin` may ask, where `host` is the address that it asked. */
  allows(origin: string | undefined, host: string | undefined): boolean {
    if (origin === undefined || this.isAnyAllowed || this.allowed.has(origin)) return true;
    return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
  }
}
