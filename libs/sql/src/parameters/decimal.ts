/** More than any source has; it bounds what arithmetic on them costs. */
const digitsMax = 100;

const integerForm = /^([+-]?)(\d+)$/;
const numberForm = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;

/** The digits of an integer without what means nothing: a plus, zeros in front, the sign of zero. */
export function canonicalInteger(text: string): string | undefined {
  if (text.length > digitsMax) return undefined;
  const match = integerForm.exec(text);
  return match ? signed(match[1], withoutLeadingZeros(match[2] ?? '')) : undefined;
}

/** The digits of a decimal number as they were given: 1.50 stays 1.50, since a source's numeric may show it so. */
export function canonicalNumber(text: string): string | undefined {
  if (text.length > digitsMax) return undefined;
  const [, sign, whole = '', fraction = '', exponent] = numberForm.exec(text) ?? [];
  if (whole === '' && fraction === '') return undefined;
  const digits = withoutLeadingZeros(whole) + (fraction === '' ? '' : `.${fraction}`);
  return signed(sign, digits) + (exponent === undefined || Number(exponent) === 0 ? '' : `e${Number(exponent)}`);
}

/** Less than, equal to or greater than 0, exactly; both in a canonical form. */
export function compareDecimals(left: string, right: string): number {
  const [a, b] = [scaled(left), scaled(right)];
  const exponent = Math.min(a.exponent, b.exponent);
  const difference = a.digits * 10n ** BigInt(a.exponent - exponent) - b.digits * 10n ** BigInt(b.exponent - exponent);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function scaled(text: string): { digits: bigint; exponent: number } {
  const [mantissa = '', exponent = '0'] = text.split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
}

function withoutLeadingZeros(digits: string): string {
  return digits.replace(/^0+(?=\d)/, '') || '0';
}

function signed(sign: string | undefined, digits: string): string {
  return sign === '-' && /[1-9]/.test(digits) ? `-${digits}` : digits;
}
