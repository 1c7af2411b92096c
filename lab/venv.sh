#!/bin/sh
# Makes .venv, once for each lock and Python: a link into the cache, so that a fresh clone need not install again.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "Python 3.11 or newer is needed: '$python' is $("$python" --version 2>&1)" >&2
  exit 1
}
key=$({ "$python" -VV; cat requirements.txt; } | sha256sum | cut -c1-12)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/swarm-transfer/venv/$key
mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock"
flock 9
if [ ! -e "$venv/.complete" ]; then
  echo "== Python packages …"
  rm -rf "$venv"
  "$python" -m venv "$venv" || {
    echo "the module venv is missing: install the package python3-venv" >&2
    exit 1
  }
  "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
  touch "$venv/.complete"
  echo "== Python packages: ok"
fi
if [ -d .venv ] && [ ! -L .venv ]; then
  exit 0 # the user's own
fi
ln -sfn "$venv" .venv
