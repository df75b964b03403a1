/** The hooks of a repository that `plumb init --bare` makes. POSIX sh: they run wherever git does. */

/** One word for sh, whatever is in it. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

export interface HookSettings {
  readonly branch: string;
  /** Absolute path of the Node.js that runs the CLI. */
  readonly node: string;
  /** Absolute path of the CLI. */
  readonly cli: string;
  /** Whether a push stays to show its rollout. */
  readonly follow?: boolean;
}

/** Validates what is pushed to the branch, before anyone sees it. */
export function preReceiveHook({ branch, node, cli }: HookSettings): string {
  return `#!/bin/sh
# Written by \`plumb init --bare\`. Refuses a push to the branch that does not validate, and prints what it would change.
node=${shellWord(node)}
cli=${shellWord(cli)}
branch=${shellWord(branch)}
if [ -x "$node" ] && [ -f "$cli" ]; then exec "$node" "$cli" hook pre-receive --branch "$branch"; fi
if command -v plumb >/dev/null 2>&1; then exec plumb hook pre-receive --branch "$branch"; fi
echo "plumb: not checked: neither $cli nor a plumb on PATH is there. The control plane checks the commit; see: plumb status" >&2
cat >/dev/null
`;
}

/** Tells the control plane at once, and the pusher what comes next. */
export function postReceiveHook({ branch, node, cli, follow = false }: HookSettings): string {
  const settings = follow ? `node=${shellWord(node)}\ncli=${shellWord(cli)}\n` : '';
  const shown = `echo "plumb: $(printf %.12s "$new") is on $branch and is applied now`;
  const applied = follow
    ? `${shown}; Ctrl-C leaves it to go on"
      if [ -x "$node" ] && [ -f "$cli" ]; then "$node" "$cli" hook post-receive --rev "$new" || :; fi ;;`
    : `${shown}; follow it with: plumb status --wait" ;;`;
  return `#!/bin/sh
# Written by \`plumb init --bare\`. Touches the file that the control plane watches${follow ? ', then shows the rollout' : ''}.
${settings}branch=${shellWord(branch)}
while read -r old new ref; do
  [ "$ref" = "refs/heads/$branch" ] || continue
  # Shared with a group, the file is too.
  [ "$(git config core.sharedRepository)" != group ] || umask 002
  mkdir -p plumbline
  echo "$new" > plumbline/pushed
  case $new in
    *[!0]*) ${applied}
    *) echo "plumb: $branch is deleted; what runs goes on running until there is a new commit on it" ;;
  esac
done
`;
}
