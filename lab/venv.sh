#!/bin/sh
# Makes .venv, a link to an environment in the cache. It has the packages of the tests, which include all others.
# There is one environment for each lock file and Python version, so a fresh clone does not install again.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "Python 3.11 or newer is needed: '$python' is $("$python" --version 2>&1)" >&2
  exit 1
}
key=$({ "$python" -VV; cat requirements/test.txt; } | sha256sum | cut -c1-12)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/swarm-transfer/venv/$key
mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock"
flock 9
if [ ! -e "$venv/.complete" ]; then
  echo "== Python packages …"
  rm -rf "$venv"
  "$python" -m venv "$venv" || {
    echo "the Python module venv is missing: install the package python3-venv" >&2
    exit 1
  }
  "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement requirements/test.txt
  touch "$venv/.complete"
  echo "== Python packages: ok"
fi
if [ -d .venv ] && [ ! -L .venv ]; then
  exit 0 # the user made this environment, so it stays
fi
ln -sfn "$venv" .venv
