#!/usr/bin/env bash
# Writes digests.yaml, which pins the images of compose.yaml by what their tags mean today; needs docker with buildx.
#   docker compose -f compose.yaml -f digests.yaml up --wait
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

docker compose -f compose.yaml --profile observability config --no-interpolate --resolve-image-digests --lock-image-digests > digests.yaml
