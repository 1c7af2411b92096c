#!/bin/sh
# Writes the lock files from the .in files. It needs uv (`pip install uv`).
# A version stays as it is in the lock file. To upgrade one that no .in file names: `requirements/lock.sh -P NAME`.
set -eu
cd "$(dirname "$0")/.."
for name in program client lab test; do
  uv pip compile --quiet --generate-hashes --python-version 3.11 \
    "requirements/$name.in" -o "requirements/$name.txt" "$@"
done
# The lock file of the service's image is beside its Dockerfile, because an image is built from one folder.
service=services/file_transfer/requirements
uv pip compile --quiet --generate-hashes --python-version 3.13 --python-platform x86_64-manylinux_2_28 \
  "$service.in" -o "$service.txt" "$@"
# The policy pack's is in its folder, where Pulumi looks for it.
uv pip compile --quiet --generate-hashes --python-version 3.11 \
  policy/requirements.in -o policy/requirements.txt "$@"
# The example's is in its folder, too.
uv pip compile --quiet --generate-hashes --python-version 3.11 \
  examples/hcloud/requirements.in -o examples/hcloud/requirements.txt "$@"
