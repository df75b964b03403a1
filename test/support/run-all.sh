#!/usr/bin/env bash
# run-all.sh [TIER...]: every tier, or these; `check` is a tier here too. Two lanes at once: what uses names of the machine, one file at a time, and
# the others. A tier that this machine cannot run is named, with the reason, at the end.
set -uo pipefail
cd "$(dirname "$0")/../.."
. test/support/attend.sh

tiers=("$@")
[ $# -gt 0 ] || tiers=(unit contract integration e2e)
run=() skipped=() groups=() why='' code=0
if [ "$(uname -s)" != Linux ]; then why="needs Linux, this is $(uname -s)"
elif [ "$(id -u)" != 0 ]; then why='needs root: hosts are network namespaces with their own sshd and containerd'
else groups=(lab vm tests)
fi
for tier in "${tiers[@]}"; do
  case $tier in
    unit | check) run+=("$tier") ;;
    contract | integration | e2e) if [ -n "$why" ]; then skipped+=("$tier: $why"); else run+=("$tier"); fi ;;
    *) echo "there is no tier $tier: choose of check, unit, contract, integration, e2e" >&2; exit 2 ;;
  esac
done
attend bash cli/prepare-machine.sh ${groups[@]+"${groups[@]}"} || exit $?

if [ ${#run[@]} -gt 0 ]; then
  attend node --import tsx test/support/run-steps.ts --all 2 "bash test/support/lane.sh others ${run[*]}" "bash test/support/lane.sh hosts ${run[*]}" || code=1
fi
for line in ${skipped[@]+"${skipped[@]}"}; do echo "not run: $line"; done
exit $code
