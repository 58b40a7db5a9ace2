#!/usr/bin/env bash
# fuzz.sh — runs fuzz targets with their corpora and records what came of it: see fuzz/run.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec /usr/bin/python3 -B fuzz/run.py "$@"
