declare module 'libpg-query/wasm/libpg-query.js' {
  // The module's own JavaScript has no types; postgres-parser.ts names what it uses.
  const create: <T>() => Promise<T>;
  export { create as default };
}
