#!/usr/bin/env bash
# run-all.sh [TIER...]: every tier, or these, in order of cost. A tier that this machine cannot run is named, with the reason, at the end.
set -uo pipefail
cd "$(dirname "$0")/../.."
. test/support/attend.sh

tiers=("$@")
[ $# -gt 0 ] || tiers=(unit contract integration e2e)
skipped=() failed=() groups=() why=''
if [ "$(uname -s)" != Linux ]; then why="needs Linux, this is $(uname -s)"
elif [ "$(id -u)" != 0 ]; then why='needs root: hosts are network namespaces with their own sshd and containerd'
else groups=(lab vm)
fi
attend bash cli/prepare-machine.sh ${groups[@]+"${groups[@]}"} || exit $?

for tier in "${tiers[@]}"; do
  if [ "$tier" != unit ] && [ -n "$why" ]; then skipped+=("$tier: $why"); continue; fi
  started=$SECONDS
  attend bash test/support/tier.sh "$tier" || failed+=("$tier")
  echo "tier $tier took $((SECONDS - started)) s"
done

for line in ${skipped[@]+"${skipped[@]}"}; do echo "not run: $line"; done
if [ ${#failed[@]} -gt 0 ]; then echo "failed: ${failed[*]}"; exit 1; fi
