#!/usr/bin/env bash
# bench.sh — sets up, then measures the daemon with real models and prints figures; asserts nothing.
#
# usage: scripts/bench.sh [health] [idle]        (both by default; about a minute each)
#
# One line of JSON a benchmark on standard output:
#   health  probes while all cores compute 2,000-token prompts, beside a raw socket ping-pong
#   idle    processor time of all processes with three models loaded and nothing to do
set -euo pipefail
# shellcheck source=scripts/progress.sh
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"
cd "$TOP"
case ${1:-} in -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 0 ;; esac

scripts/setup.sh >&2
exec .deps/venv/bin/python -B bench/end_to_end/run.py --bin build/release/bin "$@"
