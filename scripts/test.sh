#!/usr/bin/env bash
# `npm test`, or `npm test -- FILE…` and other arguments of `node --test`. Works on a fresh clone.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/scripts/setup.sh" --for-tests
cd "$root"
export PATH="$root/node_modules/.bin:$PATH"

# Without a file or pattern among the arguments: every test.
files=('src/**/*.test.ts' 'test/*.test.ts' 'test/e2e/**/*.test.ts' 'test/faults/**/*.test.ts' 'test/support/**/*.test.ts')
for argument in "$@"; do
  case $argument in
    -*) ;;
    *) files=() ;;
  esac
done
# As many files at a time as there are cores: one less, which is the default, leaves a core of two idle. A test that failed
# may have left something open: that must not keep its file from ending.
exec node --test --test-reporter=spec --test-concurrency="$(nproc)" --test-timeout=120000 --test-force-exit "$@" "${files[@]}"
