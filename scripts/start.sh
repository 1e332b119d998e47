#!/usr/bin/env bash
# `npm start`: from a fresh clone to a cloud at work, with one host and jobs on schedules (examples/up/prepare.ts).
# Another port than 31380, at the first start: npm start -- --port 31471
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
bash scripts/setup.sh
node_modules/.bin/node examples/up/prepare.ts "$@"
exec node_modules/.bin/node bin/rocksy.cjs up examples/up/site
