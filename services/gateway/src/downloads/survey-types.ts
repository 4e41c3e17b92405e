import type { Column } from '#libs/contracts';
import { memberText } from './member-text.js';
import type { PhysicalType } from './physical-type.js';
import type { ResultPages } from './result-pages.js';

/**
 * The narrowest type that holds each column exactly. A result says that a column is of DECIMAL, but not of how many
 * digits, and its dates may be infinite or of the year 12026: so the columns of such types are read once before they are
 * written, and one with a value that fits no type becomes text.
 */
export async function surveyTypes(pages: ResultPages): Promise<PhysicalType[]> {
  const surveys = pages.columns.map((column) => surveyOf(column));
  const open = [...surveys.entries()].filter(([, survey]) => survey.observe !== undefined);
  if (open.length > 0) {
    for await (const rows of pages.chunks()) {
      for (const members of rows) {
        for (const [index, { observe }] of open) {
          const member = members[index];
          if (member !== undefined && member !== 'null') observe?.(memberText(member));
        }
      }
    }
  }
  return surveys.map(({ type }) => type());
}

interface Survey {
  readonly observe?: (text: string) => void;
  readonly type: () => PhysicalType;
}

const text: PhysicalType = { kind: 'text' };

function surveyOf({ type }: Column): Survey {
  switch (type) {
    case 'BOOLEAN':
      return { type: () => ({ kind: 'boolean' }) };
    case 'INTEGER':
      return { type: () => ({ kind: 'int32' }) };
    case 'FLOAT':
      return { type: () => ({ kind: 'double' }) };
    case 'BYTES':
      return { type: () => ({ kind: 'bytes' }) };
    case 'BIGINT':
      return bigintSurvey();
    case 'DECIMAL':
      return decimalSurvey();
    case 'DATE':
      return matchSurvey(/^\d{4}-\d\d-\d\d$/, { kind: 'date' });
    case 'TIME':
      return matchSurvey(/^([01]\d|2[0-3]):\d\d:\d\d(\.\d{1,6})?$/, { kind: 'time' });
    case 'TIMESTAMP':
      return timestampSurvey(false);
    case 'TIMESTAMP_TZ':
      return timestampSurvey(true);
    default:
      return { type: () => text };
  }
}

const int64Max = 2n ** 63n - 1n;

function bigintSurvey(): Survey {
  let isSigned = false;
  let isLarge = false;
  return {
    observe: (value) => {
      if (value.startsWith('-')) isSigned = true;
      else if (value.length > 18 && BigInt(value) > int64Max) isLarge = true;
    },
    type: () => (isLarge ? (isSigned ? text : { kind: 'uint64' }) : { kind: 'int64' }),
  };
}

const decimalForm = /^-?(\d+)(?:\.(\d+))?$/;
const decimalDigitsMax = 38;

function decimalSurvey(): Survey {
  let whole = 1;
  let scale = 0;
  let fits = true;
  return {
    observe: (value) => {
      const match = fits ? decimalForm.exec(value) : null;
      if (!match) {
        fits = false;
        return;
      }
      const [, digits = '', fraction = ''] = match;
      whole = Math.max(whole, digits.length);
      scale = Math.max(scale, fraction.length);
    },
    type: () =>
      fits && whole + scale <= decimalDigitsMax ? { kind: 'decimal', precision: whole + scale, scale } : text,
  };
}

function matchSurvey(form: RegExp, type: PhysicalType): Survey {
  let fits = true;
  return {
    observe: (value) => {
      fits = fits && form.test(value);
    },
    type: () => (fits ? type : text),
  };
}

const timestampForm = /^(\d{4})-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(?:\+00:00)?$/;
/** The whole years of a 64-bit count of nanoseconds. */
const [nanosFrom, nanosTo] = ['1678', '2261'];

function timestampSurvey(isUtc: boolean): Survey {
  let fits = true;
  let hasNanos = false;
  let [first, last] = ['9999', '0000'];
  return {
    observe: (value) => {
      const match = fits ? timestampForm.exec(value) : null;
      if (!match) {
        fits = false;
        return;
      }
      const [, year = '', fraction = ''] = match;
      if (fraction.length > 6) hasNanos = true;
      if (year < first) first = year;
      if (year > last) last = year;
    },
    type: () => {
      if (!fits) return text;
      if (!hasNanos) return { kind: 'timestamp', unit: 'micros', isUtc };
      return first >= nanosFrom && last <= nanosTo ? { kind: 'timestamp', unit: 'nanos', isUtc } : text;
    },
  };
}
