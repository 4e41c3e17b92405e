import type { DescField, DescMessage, DescOneof } from '@bufbuild/protobuf';
import { WireType, type BinaryReader, type BinaryWriter } from '@bufbuild/protobuf/wire';
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt';
import { enumValue, scalarValues, wellKnownValues, type WireValue } from './wire-value.js';

type Plain = Record<string, unknown>;

interface FieldPlan {
  write(writer: BinaryWriter, message: Plain): void;
  read(reader: BinaryReader, message: Plain, wireType: WireType): void;
}

/** A message's fields, ready to be written and read without asking the descriptor again. */
export class MessagePlan {
  private readonly writers: FieldPlan['write'][] = [];
  private readonly readers = new Map<number, FieldPlan['read']>();
  private readonly prepare: ((message: Plain) => void)[] = [];
  /** Enums without presence: absent, they are the zero member, which has no name. */
  private readonly required: { name: string; enumName: string }[] = [];

  constructor(readonly typeName: string) {}

  add(number: number, plan: FieldPlan): void {
    this.writers.push((writer, message) => plan.write(writer, message));
    this.readers.set(number, (reader, message, wireType) => plan.read(reader, message, wireType));
  }

  startsWith(prepare: (message: Plain) => void): void {
    this.prepare.push(prepare);
  }

  requires(name: string, enumName: string): void {
    this.required.push({ name, enumName });
  }

  write(writer: BinaryWriter, message: Plain): void {
    for (const write of this.writers) write(writer, message);
  }

  read(reader: BinaryReader, end: number): Plain {
    const message: Plain = {};
    for (const prepare of this.prepare) prepare(message);
    while (reader.pos < end) {
      const [number, wireType] = reader.tag();
      const read = this.readers.get(number);
      // A field of a newer release.
      if (read) read(reader, message, wireType);
      else reader.skip(wireType, number);
    }
    if (reader.pos !== end) throw new RangeError(`a field of ${this.typeName} goes beyond its message`);
    for (const { name, enumName } of this.required) {
      if (message[name] === undefined) throw new RangeError(`0 is not in ${enumName}`);
    }
    return message;
  }
}

const plans = new Map<string, MessagePlan>();

/** The plan of a message, made once. */
export function compileMessage(schema: DescMessage): MessagePlan {
  const known = plans.get(schema.typeName);
  if (known) return known;
  const plan = new MessagePlan(schema.typeName);
  // Before its members are looked at, so that a message may hold itself.
  plans.set(schema.typeName, plan);
  for (const member of schema.members) {
    if (member.kind === 'oneof') addOneof(plan, member);
    else addField(plan, member);
  }
  return plan;
}

function addField(plan: MessagePlan, field: DescField): void {
  switch (field.fieldKind) {
    case 'list':
      addList(plan, field);
      break;
    case 'map':
      addMap(plan, field);
      break;
    default:
      addSingular(plan, field, valueOf(field));
  }
}

function addSingular(plan: MessagePlan, field: DescField, value: WireValue): void {
  const { number, localName } = field;
  const isImplicit = field.presence === FeatureSet_FieldPresence.IMPLICIT;
  if (isImplicit && value.zero !== undefined) plan.startsWith((message) => (message[localName] = value.zero));
  if (isImplicit && field.fieldKind === 'enum') plan.requires(localName, field.enum.typeName);
  plan.add(number, {
    write(writer, message) {
      const present = message[localName];
      if (present === undefined || (isImplicit && isZero(present))) return;
      writer.tag(number, value.wireType);
      value.write(writer, present);
    },
    read(reader, message) {
      message[localName] = value.read(reader);
    },
  });
}

function addList(plan: MessagePlan, field: DescField & { fieldKind: 'list' }): void {
  const { number, localName } = field;
  const item = valueOf(field);
  plan.startsWith((message) => (message[localName] = []));
  plan.add(number, {
    write(writer, message) {
      const items = message[localName] as readonly unknown[];
      if (items.length === 0) return;
      if (field.packed) {
        writer.tag(number, WireType.LengthDelimited).fork();
        for (const each of items) item.write(writer, each);
        writer.join();
        return;
      }
      for (const each of items) {
        writer.tag(number, item.wireType);
        item.write(writer, each);
      }
    },
    read(reader, message, wireType) {
      const items = message[localName] as unknown[];
      if (wireType !== WireType.LengthDelimited || item.wireType === WireType.LengthDelimited) {
        items.push(item.read(reader));
        return;
      }
      const end = reader.uint32() + reader.pos;
      while (reader.pos < end) items.push(item.read(reader));
    },
  });
}

function addMap(plan: MessagePlan, field: DescField & { fieldKind: 'map' }): void {
  const { number, localName } = field;
  const key = scalarOf(field.mapKey);
  const value = valueOf(field);
  plan.startsWith((message) => (message[localName] = {}));
  plan.add(number, {
    write(writer, message) {
      for (const [name, each] of Object.entries(message[localName] as Plain)) {
        writer.tag(number, WireType.LengthDelimited).fork();
        writer.tag(1, key.wireType);
        key.write(writer, name);
        writer.tag(2, value.wireType);
        value.write(writer, each);
        writer.join();
      }
    },
    read(reader, message) {
      let name = key.zero;
      let each = value.zero;
      const end = reader.uint32() + reader.pos;
      while (reader.pos < end) {
        const [part, wireType] = reader.tag();
        if (part === 1) name = key.read(reader);
        else if (part === 2) each = value.read(reader);
        else reader.skip(wireType, part);
      }
      Object.defineProperty(message[localName], String(name), {
        value: each,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    },
  });
}

function addOneof(plan: MessagePlan, oneof: DescOneof): void {
  const name = oneof.localName;
  plan.startsWith((message) => (message[name] = { case: undefined }));
  for (const field of oneof.fields) {
    const value = valueOf(field);
    plan.add(field.number, {
      write(writer, message) {
        const chosen = message[name] as { case?: string; value?: unknown } | undefined;
        if (chosen?.case !== field.localName) return;
        writer.tag(field.number, value.wireType);
        value.write(writer, chosen.value);
      },
      read(reader, message) {
        message[name] = { case: field.localName, value: value.read(reader) };
      },
    });
  }
}

/** The value of a field, or of one item of a list or map. */
function valueOf(field: DescField): WireValue {
  if (field.message) return messageValue(field.message);
  if (field.enum) return enumValue(field.enum);
  return scalarOf(field.scalar);
}

function scalarOf(type: DescField['scalar']): WireValue {
  const value = type === undefined ? undefined : scalarValues[type];
  if (!value) throw new Error(`scalar type ${type} has no row in wire-value.ts`);
  return value;
}

function messageValue(schema: DescMessage): WireValue {
  const wellKnown = wellKnownValues[schema.typeName];
  if (wellKnown) return wellKnown;
  const plan = compileMessage(schema);
  return {
    wireType: WireType.LengthDelimited,
    zero: undefined,
    write(writer, value) {
      writer.fork();
      plan.write(writer, value as Plain);
      writer.join();
    },
    read(reader) {
      const length = reader.uint32();
      return plan.read(reader, reader.pos + length);
    },
  };
}

function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false || (value instanceof Uint8Array && value.length === 0);
}
