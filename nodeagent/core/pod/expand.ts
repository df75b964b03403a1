/**
 * `$(NAME)` references in commands, arguments and environment values. `$$` is a literal `$`; a reference to nothing
 * stays as it is. Source: Kubernetes API reference, EnvVar.value and Container.command.
 */
export function expandReferences(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$(?:\$|\(([^()]*)\))/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$';
    return lookup(name) ?? whole;
  });
}
