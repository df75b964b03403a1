/**
 * JSON is what many programs write, so unlike a YAML file a JSON file may be something else: settings, a dashboard,
 * data.
 */

/**
 * Whether a JSON text is meant as a manifest: it has `apiVersion` or `kind` at its top. A text that is no JSON is meant
 * as one when it has an `apiVersion` anywhere: whoever reads on will say where it is broken.
 */
export function isJsonManifest(text: string): boolean {
  // Most JSON files end here, after one search.
  if (!/"(apiVersion|kind)"\s*:/.test(text)) return false;
  let top: unknown;
  try {
    top = JSON.parse(text);
  } catch {
    return /"apiVersion"\s*:/.test(text);
  }
  return (
    typeof top === 'object' &&
    top !== null &&
    !Array.isArray(top) &&
    (Object.hasOwn(top, 'apiVersion') || Object.hasOwn(top, 'kind'))
  );
}
