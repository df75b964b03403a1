#!/usr/bin/env bash
# Runs one tier: tier.sh NAME [PART], with PART only the files that have it in their path. Tests that share machine-wide things (namespaces, bridges) run one file at a time.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/support/attend.sh
shopt -s globstar nullglob
files=()
for file in test/"$1"/**/*.test.ts; do [[ ${file#test/"$1"/} == *"${2:-}"* ]] && files+=("$file"); done
[ ${#files[@]} -gt 0 ] || { echo "no test file of test/$1 has ${2:-anything} in its path" >&2; exit 2; }
case $1 in unit | contract) concurrency=2 ;; *) concurrency=1 ;; esac
attend node --import tsx test/support/run-tests.ts "$concurrency" "${files[@]}"
