#!/usr/bin/env bash
# lane.sh hosts|others TIER...: what of these tiers runs in that lane (see tier.sh), and in the lane of others the check. A tier that failed
# does not end the others; the exit code is 1 then.
set -uo pipefail
cd "$(dirname "$0")/../.."
. test/support/attend.sh
export LANE=$1
shift
failed=()
for tier; do
  case $LANE/$tier in hosts/check | hosts/unit | others/e2e) continue ;; esac
  started=$SECONDS
  if [ "$tier" = check ]; then
    attend env -u LANE bash test/support/check.sh || failed+=("$tier")
  else
    attend bash test/support/tier.sh "$tier" || failed+=("$tier")
  fi
  echo "lane of $LANE, $tier: $((SECONDS - started)) s"
done
if [ ${#failed[@]} -gt 0 ]; then echo "failed in the lane of $LANE: ${failed[*]}"; exit 1; fi
