#!/usr/bin/env bash
# npm run quickstart [-- --down]: prepares the machine, then hands over to `plumb quickstart`.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(uname -s)" = Linux ] || { echo "plumbline: the quickstart needs Linux, this is $(uname -s)" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo 'plumbline: the quickstart needs root, because its hosts are network namespaces with their own sshd and containerd' >&2; exit 2; }
bash cli/prepare-machine.sh lab
exec node bin/plumb.mjs quickstart "$@"
