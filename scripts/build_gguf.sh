#!/usr/bin/env bash
# build_gguf.sh — builds the GGUF engine's library (llama.cpp, as deps/deps.lock says) and nothing else.
#
# usage: scripts/build_gguf.sh [--clean]
#
#   --clean   builds it anew even if it is there
#
# It prints what was built by what, and the time; if something is missing or fails, what to do. The
# result is in the cache and linked as .deps/llama. HEARTH_CACHE and HEARTH_JOBS as in scripts/README.md.
set -euo pipefail
# shellcheck source=scripts/progress.sh
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"
cd "$TOP"

clean=()
case ${1:-} in
-h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 0 ;;
--clean) clean=(--clean) ;;
'') ;;
*) echo "build_gguf.sh: unknown option $1 (see scripts/build_gguf.sh --help)" >&2 && exit 2 ;;
esac

# require PROGRAM MINIMUM PACKAGE: leaves its version in VERSION, or ends with the remedy.
require() {
    command -v "$1" >/dev/null || fail "$1 is not installed" "as root: apt-get install -y $3"
    VERSION=$("$1" --version 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1 || true)
    [ "$(printf '%s\n%s\n' "$2" "$VERSION" | sort -V | head -n 1)" = "$2" ] ||
        fail "$1 is ${VERSION:-of an unknown version}, $2 or later is needed" \
            "use the one of Debian 12 or 13 (apt-get install -y $3), first in PATH"
}

[ -z "${HEARTH_LLAMA_DIR:-}" ] || fail "HEARTH_LLAMA_DIR names a llama.cpp that is there already" "unset it"
require gcc 12 build-essential && compiler="gcc $VERSION"
require g++ 12 build-essential
require cmake 3.25 cmake && cmake="cmake $VERSION"
require ninja 1.10 ninja-build
require /usr/bin/python3 3.11 python3
/usr/bin/python3 -c 'import venv, ensurepip' 2>/dev/null ||
    fail "python3 cannot make virtual environments" "as root: apt-get install -y python3-venv"

HEARTH_GGUF=ON deps/fetch --engine llama "${clean[@]}" || exit 1   # it has said why, and what to do

# The library is asked, not the lock.
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
gcc -Wall -I.deps/llama/include cmake/probes/llama_version.c -c -o "$probe/version.o"
g++ "$probe/version.o" -o "$probe/version" -L.deps/llama/lib \
    -Wl,--start-group -lllama -lggml -lggml-cpu -lggml-base -Wl,--end-group -lm -lpthread -ldl
note "llama.cpp $("$probe/version"), $compiler, $cmake"
note "in $(readlink -f .deps/llama), after $(elapsed)"
