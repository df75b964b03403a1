#!/usr/bin/env bash
# tier.sh NAME[+NAME...] [PART]: one tier, or several at once; with PART only the files that have it in their path. So many files at a time as PLACES says.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/support/attend.sh
shopt -s globstar nullglob
# A file's bound is more than the longest takes on a busy machine: one boots a machine of its own.
files=() alone=() bound=600
for tier in ${1//+/ }; do
  for file in test/"$tier"/**/*.test.ts; do
    [[ ${file#test/"$tier"/} == *"${2:-}"* ]] && files+=("$file")
  done
done
if [ ${#files[@]} = 0 ]; then
  echo "no test file of test/$1 has ${2:-anything} in its path" >&2
  exit 2
fi
if [ "$1" != unit ]; then
  bound=2700
  attend node build.mjs
  # By no file once more.
  export PLUMB_BUILT=1
fi
if [ "$(uname -s)$(id -u)" = Linux0 ] && [ "$1" != unit ]; then
  alone=(--alone)
  attend node --import tsx test/support/fetch.ts
fi
attend node --import tsx test/support/run-tests.ts ${alone[@]+"${alone[@]}"} --bound "$bound" "${PLACES:-2}" "${files[@]}"
