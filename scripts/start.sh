#!/usr/bin/env bash
# `npm start`: from a fresh clone to a cloud at work, with one host and jobs on schedules (examples/up/prepare.ts).
# Another port than 31380, at the first start: npm start -- --port 31471
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# NestJS is a download more: where that fails, all the rest is there.
bash scripts/setup.sh --with-nest || { bash scripts/setup.sh && echo 'start: going on without NestJS' >&2; }
node_modules/.bin/node examples/up/prepare.ts "$@"
exec node_modules/.bin/node bin/rocksy.cjs up examples/up/site
