#!/usr/bin/env bash
# Runs one tier: tier.sh NAME [PATTERN]. Tests that share machine-wide things (namespaces, bridges) run one file at a time.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/support/attend.sh
shopt -s globstar nullglob
files=(test/"$1"/**/*${2:-}*.test.ts)
[ ${#files[@]} -gt 0 ] || { echo "no test file matches test/$1/**/*${2:-}*.test.ts" >&2; exit 2; }
case $1 in unit | contract) concurrency=2 ;; *) concurrency=1 ;; esac
attend node --import tsx test/support/run-tests.ts "$concurrency" "${files[@]}"
