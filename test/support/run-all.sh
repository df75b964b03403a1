#!/usr/bin/env bash
# run-all.sh [TIER...]: every tier, or these; `check` is a tier here too. The check and unit tests take what time of the processors is left by the others,
# beside which they run. A tier that this machine cannot run is named, with the reason, at the end.
set -uo pipefail
cd "$(dirname "$0")/../.."
. test/support/attend.sh

tiers=("$@")
[ $# -gt 0 ] || tiers=(unit contract integration e2e)
steps=() tests='' skipped=() groups=() why='' code=0
if [ "$(uname -s)" != Linux ]; then why="needs Linux, this is $(uname -s)"
elif [ "$(id -u)" != 0 ]; then why='needs root: hosts are network namespaces with their own sshd and containerd'
else groups=(lab vm tests)
fi
for tier in "${tiers[@]}"; do
  case $tier in
    check) steps+=('nice -n 5 bash test/support/check.sh') ;;
    unit) steps+=('nice -n 5 bash test/support/tier.sh unit') ;;
    # What takes longest begins first.
    e2e) if [ -n "$why" ]; then skipped+=("$tier: $why"); else tests=$tier${tests:++$tests}; fi ;;
    contract | integration) if [ -n "$why" ]; then skipped+=("$tier: $why"); else tests+=${tests:++}$tier; fi ;;
    *) echo "there is no tier $tier: choose of check, unit, contract, integration, e2e" >&2; exit 2 ;;
  esac
done
[ -z "$tests" ] || steps+=("bash test/support/tier.sh $tests")
attend bash cli/prepare-machine.sh ${groups[@]+"${groups[@]}"} || exit $?

FAILURES=$(mktemp)
export FAILURES
trap 'rm -f "$FAILURES"' EXIT
if [ ${#steps[@]} -gt 0 ]; then attend node --import tsx test/support/run-steps.ts --all 2 "${steps[@]}" || code=1; fi
[ ! -s "$FAILURES" ] || { echo 'failed:'; head -100 "$FAILURES"; }
for line in ${skipped[@]+"${skipped[@]}"}; do echo "not run: $line"; done
exit $code
