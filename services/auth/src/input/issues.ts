import { AppError, type Issue } from '#libs/kernel';

/** Every fault of one input, so that a caller sees them all at once. */
export class Issues {
  private readonly issues: Issue[] = [];

  add(path: readonly string[], message: string): void {
    this.issues.push({ code: 'input.invalid', message, path });
  }

  forbid(path: readonly string[], message: string): void {
    this.issues.push({ code: 'auth.forbidden', message, path });
  }

  /** @throws AppError with all faults, if there is one */
  throwIfAny(): void {
    const [first, ...others] = this.issues;
    if (first) throw AppError.ofIssues([first, ...others]);
  }
}
