#!/usr/bin/env bash
# What a developer and CI run: types, lint, import table, dead code, unit tests.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -d node_modules ] || npm ci
npx tsc --noEmit
npx eslint .
npx depcruise --config .dependency-cruiser.cjs --output-type err contracts reconciler nodeagent cli test bench
npx knip
npm run --silent test:unit
