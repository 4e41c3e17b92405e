import { AppError, type ErrorCode, type Issue } from '#libs/kernel';

/** Gathers every fault of one input, so that a caller sees them all at once. */
export class Issues {
  private readonly issues: Issue[] = [];

  add(path: readonly string[], message: string, code: ErrorCode = 'input.invalid'): void {
    this.issues.push({ code, message, path });
  }

  addAll(issues: readonly Issue[]): void {
    this.issues.push(...issues);
  }

  /** @throws AppError with all faults, if there is one */
  throwIfAny(): void {
    const [first, ...others] = this.issues;
    if (first) throw AppError.ofIssues([first, ...others]);
  }
}
