#!/usr/bin/env bash
# soak.sh — sets up, then asks one daemon thousands of mixed requests and looks at ends and memory.
#
# usage: scripts/soak.sh [--long | --requests N] [--minutes N] [--seed N]
#
#   --long   10,000 requests and at least 15 minutes; otherwise 400 requests, some seconds
#
# Generation with every option that the engine has, embedding and classification from eight
# connections; some are cancelled, some expire. It ends with 0 if each request had exactly one end,
# the memory of the daemon and its workers grew by at most 2 %, and no worker was lost.
set -euo pipefail
# shellcheck source=scripts/progress.sh
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"
cd "$TOP"

case ${1:-} in
-h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 0 ;;
esac
scripts/setup.sh >&2
exec .deps/venv/bin/python tests/end_to_end/soak.py --bin build/release/bin "$@"
