#!/usr/bin/env bash
# demo.sh — sets up, then classifies, compares and chats with real models through a private daemon.
#
# usage: scripts/demo.sh [SENTENCE...]
#
# Without a SENTENCE it takes three of its own, whose intents it knows. It ends with 0 only if every
# answer was right; the last line says so. The daemon runs for as long as the demo does.
set -euo pipefail
# shellcheck source=scripts/progress.sh
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"
cd "$TOP"
case ${1:-} in -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 0 ;; esac

scripts/setup.sh
scripts/download_models.sh --fetched --verify >"$LOGS/verify-models.log" 2>&1 ||
    fail "a model file is not what models/catalogue.json says" \
        "scripts/download_models.sh --verify --repair makes it again" "$LOGS/verify-models.log"

exec build/release/bin/hearth run --models models/store \
    --preload hearth-intent,all-minilm-l6-v2,smollm2-135m-instruct -- \
    /usr/bin/python3 -B scripts/demo.py build/release/bin/hearth "$@"
