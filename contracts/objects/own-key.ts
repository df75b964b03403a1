/** Reading maps whose keys come from a manifest, a node or a container. Free of schemas: a node agent uses it. */

/**
 * The value that the map itself has at `key`; undefined for what every JavaScript object inherits (`constructor`,
 * `toString`). Every read at a key that input names goes through here, or through a Map.
 */
export function readKey<T>(map: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
}
