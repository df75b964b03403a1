#!/usr/bin/env bash
# What a developer and CI run: types, format, lint, import table, dead code, unit tests.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -d node_modules ] || bash cli/prepare-machine.sh
npx tsc --noEmit
npx prettier --check --log-level warn .
npx eslint .
npm run --silent boundaries
npx knip
exec npm run --silent test:unit
