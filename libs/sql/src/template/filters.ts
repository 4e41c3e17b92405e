import { shown } from '../sql-text.js';
import type { BoundValue, ValueType } from '../parameters/bound-value.js';
import type { TimeContext } from '../parameters/civil-time.js';
import { faultOfFormat, formatTime } from '../parameters/format-time.js';
import { convertScalar, scalarTypes } from '../parameters/scalar-types.js';

interface Filter {
  readonly takesFormat: boolean;
  /** As a message says it: "must be …". */
  readonly expected: string;
  /** Undefined where the value has no such form. */
  readonly apply: (value: BoundValue, format: string | undefined, context: TimeContext) => BoundValue | undefined;
}

/** The form of a date itself: with it, a date stays one. */
const dateFormat = 'YYYY-MM-DD';

const filters: ReadonlyMap<string, Filter> = new Map([
  ['text', conversion('text')],
  ['int', conversion('integer')],
  ['number', conversion('number')],
  ['bool', conversion('boolean')],
  [
    'date',
    {
      takesFormat: true,
      expected: 'a date such as "2026-11-21"',
      apply: (value, format, context) => {
        if (format === undefined || format === dateFormat) {
          return convertScalar(value, 'date', context) ?? viaDatetime(value, context);
        }
        return formatted(
          value.type === 'datetime' ? value : (convertScalar(value, 'date', context) ?? instantOf(value, context)),
          format,
          context,
        );
      },
    },
  ],
  [
    'datetime',
    {
      takesFormat: true,
      expected: 'a date and time such as "2026-11-21T07:30:00Z"',
      apply: (value, format, context) => {
        const instant = instantOf(value, context);
        return format === undefined ? instant : formatted(instant, format, context);
      },
    },
  ],
]);

/** Filters that say how values stand in the statement, not what they are. */
const placingFilters: ReadonlySet<string> = new Set(['list', 'identifier']);

/** What is wrong with a call of a filter, if anything. */
export function faultOfFilter(name: string, argument: string | undefined): string | undefined {
  const filter = filters.get(name);
  if (!filter && !placingFilters.has(name)) {
    const known = [...filters.keys(), ...placingFilters].join(', ');
    return `There is no filter "${shown(name)}"; there are ${known}.`;
  }
  if (argument === undefined) return undefined;
  if (!filter?.takesFormat) return `The filter ${name} takes nothing in parentheses.`;
  const unknown = faultOfFormat(argument);
  return unknown === undefined ? undefined : `"${shown(unknown)}" is no part of a date's format.`;
}

/** Undefined for the filters that only place. */
export function filterNamed(name: string): Filter | undefined {
  return filters.get(name);
}

function conversion(type: ValueType): Filter {
  return {
    takesFormat: false,
    expected: scalarTypes[type].description,
    apply: (value, _format, context) => convertScalar(value, type, context),
  };
}

function instantOf(value: BoundValue, context: TimeContext): BoundValue | undefined {
  return convertScalar(value, 'datetime', context);
}

/** The day on which an instant, written as text, falls in the zone. */
function viaDatetime(value: BoundValue, context: TimeContext): BoundValue | undefined {
  const instant = instantOf(value, context);
  return instant && convertScalar(instant, 'date', context);
}

function formatted(time: BoundValue | undefined, format: string, { timeZone }: TimeContext): BoundValue | undefined {
  if (!time) return undefined;
  return { type: 'text', value: time.value === null ? null : formatTime(time.value, format, timeZone) };
}
