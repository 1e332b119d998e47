#!/usr/bin/env bash
# Installs what a checkout needs, and nothing that is there already: PHP with Symfony and Python with Django from Debian's
# packages, then the npm packages (Node 24 among them). With --with-nest also examples/nest, compiled; with --for-tests
# that, PostgreSQL and Node 26; with --for-fork-safety Node 26, Chromium and the packages that forked children are tried
# with. Says nothing when there is nothing to do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  echo "setup: $*" >&2
  exit 1
}

# Runs a command whose output is of interest only when it fails.
quietly() {
  local output
  if ! output=$("$@" 2>&1); then
    printf '%s\n' "$output" >&2
    fail "failed: $*"
  fi
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    command -v sudo >/dev/null || fail "this needs root and there is no sudo; as root run: $*"
    sudo "$@"
  fi
}

# What the PHP zygote and examples/symfony use, asked of PHP itself: how it was installed does not matter.
# shellcheck disable=SC2016 # the dollar signs are PHP's
php_is_complete() {
  command -v php >/dev/null && php -r '
    foreach (["pcntl", "posix", "FFI", "mbstring", "pdo_sqlite", "Zend OPcache"] as $extension) {
      extension_loaded($extension) || exit(1);
    }
    foreach (["Component/Console", "Component/PropertyAccess", "Component/PropertyInfo", "Component/Serializer", "Component/Validator", "Component/Yaml", "Bundle/FrameworkBundle", "Bundle/TwigBundle"] as $package) {
      is_file("/usr/share/php/Symfony/$package/autoload.php") || exit(1);
    }
  ' 2>/dev/null
}

install_php() {
  command -v apt-get >/dev/null ||
    fail 'PHP 8.2 with Symfony 5.4 below /usr/share/php is missing, and this is no Debian to install it from'
  echo 'setup: installing PHP and Symfony from Debian (once)' >&2
  quietly as_root apt-get update -q
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \
    php-cli php-mbstring php-sqlite3 \
    php-symfony-framework-bundle php-symfony-twig-bundle php-symfony-console php-symfony-property-access \
    php-symfony-property-info php-symfony-serializer php-symfony-validator php-symfony-yaml
  php_is_complete || fail 'PHP was installed, but an extension or a Symfony package is still missing (see php_is_complete in scripts/setup.sh)'
}

# What the Python zygote and examples/django use; asked of Debian's interpreter, which finds Debian's packages.
python_is_complete() {
  /usr/bin/python3 -c 'import ctypes, sqlite3, sys, django; sys.exit(sys.version_info < (3, 9))' 2>/dev/null
}

install_python() {
  command -v apt-get >/dev/null ||
    fail '/usr/bin/python3 (3.9 or newer) with Django is missing, and this is no Debian to install it from'
  echo 'setup: installing Python and Django from Debian (once)' >&2
  quietly as_root apt-get update -q
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends python3 python3-django
  python_is_complete || fail 'Python was installed, but a module is still missing (see python_is_complete in scripts/setup.sh)'
}

# The tests start servers of their own from these programs, and Debian's is not started: a server that is installed for
# tests alone has no business with the machine's ports.
postgresql_is_there() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

install_postgresql() {
  command -v apt-get >/dev/null || fail 'PostgreSQL 14 or newer is missing, and this is no Debian to install it from'
  echo 'setup: installing PostgreSQL from Debian (once)' >&2
  quietly as_root apt-get update -q
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql-common
  quietly as_root sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql
  postgresql_is_there || fail 'PostgreSQL was installed, but there is no /usr/lib/postgresql/*/bin/initdb'
}

install_chromium() {
  command -v apt-get >/dev/null || fail '/usr/bin/chromium is missing, and this is no Debian to install it from'
  echo 'setup: installing Chromium from Debian (once)' >&2
  quietly as_root apt-get update -q
  quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends chromium
}

# [FOLDER]. By content, not by age: git and copying change times. npm keeps what it installed in
# node_modules/.package-lock.json; packages for other platforms are optional and not in it.
packages_are_current() {
  [ -f "${1:-.}/node_modules/.package-lock.json" ] && (cd "${1:-.}" && node -e '
    const installed = require("./node_modules/.package-lock.json").packages;
    const wanted = Object.entries(require("./package-lock.json").packages).filter(([path]) => path !== "");
    const unmet = wanted.filter(([path, { version, optional }]) =>
      installed[path] ? installed[path].version !== version : !optional);
    process.exit(unmet.length === 0 ? 0 : 1);
  ')
}

# [FOLDER]
install_packages() {
  command -v npm >/dev/null || fail 'npm is missing; install Node.js 18 or newer with npm'
  echo "setup: installing npm packages${1:+ of $1} (once)" >&2
  (cd "${1:-.}" && quietly npm ci --loglevel=error)
}

# NestJS can't do without decorators, which Node does not strip: its own compiler does. It knows itself what has changed.
build_nest() {
  packages_are_current examples/nest || install_packages examples/nest
  (cd examples/nest && quietly ../../node_modules/.bin/node node_modules/typescript/bin/tsc --build)
}

own_node_runs() {
  node_modules/.bin/node -e 'process.versions.node.split(".")[0] < 24 && process.exit(1)' 2>/dev/null
}

php_is_complete || install_php
python_is_complete || install_python
case "${1:-}" in
  --for-tests)
    postgresql_is_there || install_postgresql
    packages_are_current test/node-26 || install_packages test/node-26
    ;;
  --for-fork-safety)
    [ -x /usr/bin/chromium ] || install_chromium
    packages_are_current test/node-26 || install_packages test/node-26
    packages_are_current test/fork-safety || install_packages test/fork-safety
    ;;
esac
packages_are_current || install_packages
own_node_runs || fail "the package's own Node (node_modules/.bin/node) does not run. Were install scripts switched off (npm config get ignore-scripts)? Remedy: npm ci --ignore-scripts=false"
case ${1:-} in --for-tests | --with-nest) build_nest ;; esac
