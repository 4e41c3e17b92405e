import type { Complain, Count } from './report.ts';
import type { Ledger } from './ledger.ts';

/** No acknowledged change is lost: what is read in the end is the last that was acknowledged, or one behind it whose outcome nobody knows. */
export function checkThings({ things }: Ledger, complain: Complain, count: Count): void {
  for (const [name, { acknowledged, acknowledgements, unknown, saved }] of things) {
    count('changed things');
    count('changes acknowledged', acknowledgements);
    if (unknown.size > 0) count('changes of unknown outcome', unknown.size);
    if (saved === undefined && acknowledged === 0) continue;
    if (saved === undefined) complain('changes', `${name} was never read again`);
    else if (saved !== acknowledged && !unknown.has(saved)) {
      complain('changes', `${name} is ${saved}, though ${acknowledged} was acknowledged`);
    }
  }
}
