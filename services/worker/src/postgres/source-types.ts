import type pg from 'pg';
import { arrayOf, builtInTypes, textType, unknownType, type PostgresType } from './postgres-types.js';

/** A row of pg_type, with the type of its items where it is an array. */
interface CatalogType {
  readonly oid: number;
  readonly kind: string;
  readonly name: string;
  readonly item_oid: number | null;
  readonly item_kind: string | null;
  readonly item_name: string | null;
  readonly item_delimiter: string | null;
}

// A domain of items is seen as what it is made of, as the server itself does for a column of a domain.
const catalogQuery = `
  select t.oid::int8::float8 as oid, t.typtype as kind, t.typname as name,
         coalesce(b.oid, e.oid)::int8::float8 as item_oid, coalesce(b.typtype, e.typtype) as item_kind,
         coalesce(b.typname, e.typname) as item_name, coalesce(b.typdelim, e.typdelim) as item_delimiter
    from pg_catalog.pg_type t
    left join pg_catalog.pg_type e on t.typcategory = 'A' and t.typlen = -1 and e.oid = t.typelem
    left join pg_catalog.pg_type b on e.typtype = 'd' and b.oid = e.typbasetype
   where t.oid = any ($1::oid[])`;

/** Types that extensions make and that are text in all but name. */
const textNames: ReadonlySet<string> = new Set(['citext']);

/** The types that a source has beyond PostgreSQL's own: asked for once each, when a result first holds them. */
export class SourceTypes {
  private readonly known = new Map<number, PostgresType>(builtInTypes);

  constructor(private readonly withClient: <T>(use: (client: pg.Client) => Promise<T>) => Promise<T>) {}

  resolve(oids: readonly number[]): ReadonlyMap<number, PostgresType> | Promise<ReadonlyMap<number, PostgresType>> {
    const unknown = oids.filter((oid) => !this.known.has(oid));
    return unknown.length === 0 ? this.known : this.learn([...new Set(unknown)]);
  }

  private async learn(oids: readonly number[]): Promise<ReadonlyMap<number, PostgresType>> {
    const { rows } = await this.withClient((client) => client.query<CatalogType>(catalogQuery, [oids]));
    for (const row of rows) this.known.set(row.oid, this.typeOf(row));
    // Such as the pseudo-type of an untyped NULL; the catalog need not be asked again.
    for (const oid of oids) if (!this.known.has(oid)) this.known.set(oid, unknownType);
    return this.known;
  }

  private typeOf({ kind, name, item_oid, item_kind, item_name, item_delimiter }: CatalogType): PostgresType {
    if (item_oid === null) return this.scalarOf(kind, name);
    const item = builtInTypes.get(item_oid) ?? this.scalarOf(item_kind ?? '', item_name ?? '');
    return arrayOf(item, item_delimiter ?? undefined);
  }

  private scalarOf(kind: string, name: string): PostgresType {
    return kind === 'e' || textNames.has(name) ? textType : unknownType;
  }
}
