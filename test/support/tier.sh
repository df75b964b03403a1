#!/usr/bin/env bash
# tier.sh NAME [PART]: one tier, with PART only the files that have it in their path; with LANE=hosts those that use names of the machine
# (namespaces, bridges, cgroups), with LANE=others all others. lane.sh sets it.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/support/attend.sh
shopt -s globstar nullglob
concurrency=1 files=()
case $1 in unit | contract) concurrency=2 ;; esac
[ "${LANE:-}" = hosts ] && concurrency=1
for file in test/"$1"/**/*.test.ts; do
  [[ ${file#test/"$1"/} == *"${2:-}"* ]] || continue
  case $file in
    test/contract/container-runtime/* | test/contract/packet-filter/* | test/e2e/*) lane=hosts ;;
    test/integration/interruption/* | test/integration/lab/* | test/integration/network/*) lane=hosts ;;
    test/integration/nodeagent/* | test/integration/ssh/*) lane=hosts ;;
    *) lane=others ;;
  esac
  [ "${LANE:-$lane}" = $lane ] && files+=("$file")
done
if [ ${#files[@]} = 0 ]; then
  echo "no test file of test/$1 has ${2:-anything} in its path" >&2
  exit 2
fi
attend node --import tsx test/support/run-tests.ts "$concurrency" "${files[@]}"
