import type { DataSource, EntityTarget, ObjectLiteral } from 'typeorm';

/** An entity's table as SQL names it, with its schema. */
export function tablePath(dataSource: DataSource, entity: EntityTarget<ObjectLiteral>): string {
  const { schema, tableName } = dataSource.getMetadata(entity);
  return [schema, tableName]
    .filter((part) => part !== undefined)
    .map((part) => dataSource.driver.escape(part))
    .join('.');
}
