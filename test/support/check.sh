#!/usr/bin/env bash
# What a developer and CI run: types, format, lint, import table, dead code, unit tests. Two at a time; what each says comes whole, in this order,
# and the first that fails ends the check.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -d node_modules ] || bash cli/prepare-machine.sh
. test/support/attend.sh
attend node --import tsx test/support/run-steps.ts 2 \
  'npx tsc --noEmit' \
  'npx prettier --check --log-level warn .' \
  'npm run --silent boundaries' \
  'npx knip' \
  'npx eslint .' \
  'npm run --silent test:unit'
