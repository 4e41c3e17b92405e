import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';

const folder = join(import.meta.dirname, 'schemas');

/** Patterns of schemas are written for Go, where a flag may stand within the pattern. */
const goRegExp = Object.assign(
  (pattern: string, flags: string): RegExp =>
    pattern.includes('(?i)') ? new RegExp(pattern.replace('(?i)', ''), `${flags}i`) : new RegExp(pattern, flags),
  // As Ajv calls the one that it has itself.
  { code: 'new RegExp' },
);

interface CoreSchemas {
  kinds: string[];
  definitions: Record<string, { 'x-kubernetes-group-version-kind'?: unknown }>;
}

/** The schemas of all kinds that manifests here may use, by `<apiVersion> <kind>`; see vendor-schemas.ts. */
export class ManifestSchemas {
  private readonly ajv = new Ajv({
    strict: false,
    allErrors: true,
    validateFormats: false,
    code: { regExp: goRegExp },
  });
  private readonly validators = new Map<string, () => ValidateFunction>();

  constructor() {
    const core = read('kubernetes') as CoreSchemas;
    this.ajv.addSchema({ $id: 'kubernetes', definitions: core.definitions });
    for (const name of core.kinds) this.add(coreKey(name), { $ref: `kubernetes#/definitions/${name}` });
    for (const file of readdirSync(folder)) {
      const [, kind, group, version] = /^([A-Z]\w+)\.(.+)\.(v\w+)\.json$/.exec(file) ?? [];
      if (kind !== undefined) this.add(`${group}/${version} ${kind}`, read(file.replace(/\.json$/, '')) as object);
    }
  }

  /** What is wrong with a manifest; an empty list where nothing is. */
  faultsOf(manifest: { apiVersion?: unknown; kind?: unknown }): string[] {
    const key = `${String(manifest.apiVersion)} ${String(manifest.kind)}`;
    const validate = this.validators.get(key)?.();
    if (validate === undefined) return [`there is no schema of ${key}; see deploy/tools/vendor-schemas.ts`];
    validate(manifest);
    return (validate.errors ?? []).map(
      ({ instancePath, message = '', params }) => `${instancePath || '/'} ${message} ${JSON.stringify(params)}`,
    );
  }

  /** Compiled where it is first needed: a pod's schema is large. */
  private add(key: string, schema: object): void {
    let validate: ValidateFunction | undefined;
    this.validators.set(key, () => (validate ??= this.ajv.compile(schema)));
  }
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
}

/** `io.k8s.api.apps.v1.Deployment` is `apps/v1 Deployment`; the core group has no name, and some have a domain. */
function coreKey(name: string): string {
  const [group = '', version, kind] = name.replace('io.k8s.api.', '').split('.');
  const groupName = { core: '', networking: 'networking.k8s.io/' }[group] ?? `${group}/`;
  return `${groupName}${version} ${kind}`;
}
