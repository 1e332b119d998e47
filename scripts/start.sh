#!/usr/bin/env bash
# `npm start`: from a fresh clone to a daemon at work, told step by step by examples/symfony/demo.ts.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/scripts/setup.sh"
exec "$root/node_modules/.bin/node" "$root/examples/symfony/demo.ts" "$@"
