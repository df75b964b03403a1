# Sourced. `attend COMMAND...` runs a command to its end and gives its exit code. A SIGINT or SIGTERM of this shell is passed on to all that
# the command runs, once, and when it has ended, the shell exits with 130 or 143. Without it, bash dies at once or lets the signal wait.
# The command has a process group of its own: a second Ctrl-C does not reach what it runs to clean up after the first.
attend() {
  local child code=0 ended=''
  set -m
  "$@" &
  child=$!
  set +m
  trap 'pass_on INT 130' INT
  trap 'pass_on TERM 143' TERM
  # A trapped signal ends `wait`, not the command.
  while code=0; wait "$child" || code=$?; kill -0 "$child" 2>/dev/null; do :; done
  trap - INT TERM
  if [ -n "$ended" ]; then exit "$ended"; fi
  return "$code"
}

pass_on() {
  if [ -z "$ended" ]; then
    ended=$2
    kill -s "$1" -- "-$child" 2>/dev/null
  fi
}
