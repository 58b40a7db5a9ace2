#!/usr/bin/env bash
# setup.sh — makes this clone ready: distribution packages, locked dependencies, build, models.
#
# usage: scripts/setup.sh [--check] [--preset NAME]... [--no-build] [--no-models]
#                         [--with-arm64] [--no-engines]
#
#   --check         says which tools are there (version, minimum, path) and changes nothing
#   --preset NAME   builds this preset (release if none is named; several may be)
#   --no-build      leaves out the build
#   --no-models     leaves out the default models (about 180 MB to fetch)
#   --with-arm64    gets the cross compiler for arm64 and what it needs, too
#   --no-engines    leaves out both engines, as HEARTH_ONNX=OFF HEARTH_GGUF=OFF in the environment do
#
# A run with nothing to do takes seconds; an interrupted run is simply started again.
# HEARTH_ORT_DIR and HEARTH_LLAMA_DIR name the prefix (include/, lib/) of an engine to use instead of
# the locked one. HEARTH_CACHE is where fetched and built dependencies are kept (~/.cache/hearth);
# HEARTH_JOBS limits how many compilers run at once.
set -euo pipefail
# shellcheck source=scripts/progress.sh
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"
cd "$TOP"

PACKAGES="build-essential cmake ninja-build pkg-config python3 python3-venv ca-certificates
    libseccomp-dev libssl-dev libutf8proc-dev libpcre2-dev libinih-dev libcurl4-openssl-dev
    libcmocka-dev strace"

check='' build=yes models=yes arm64='' presets=()
export HEARTH_ONNX=${HEARTH_ONNX:-ON} HEARTH_GGUF=${HEARTH_GGUF:-ON}
while [ $# -gt 0 ]; do
    case $1 in
    --check) check=yes ;;
    --preset) presets+=("${2:?--preset needs a name}") && shift ;;
    --no-build) build='' ;;
    --no-models) models='' ;;
    --with-arm64) arm64=yes ;;
    --no-engines) HEARTH_ONNX=OFF HEARTH_GGUF=OFF ;;
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) echo "setup.sh: unknown option $1 (see scripts/setup.sh --help)" >&2 && exit 2 ;;
    esac
    shift
done
[ ${#presets[@]} -gt 0 ] || presets=(release)

# --- what this is -------------------------------------------------------------------------------

RELEASE=''   # 12 or 13, by require_platform
require_platform() {
    local name='an unknown system' id='' way=''
    if [ -r /etc/os-release ]; then
        # shellcheck source=/dev/null
        name=$(. /etc/os-release && echo "$PRETTY_NAME")
        # shellcheck source=/dev/null
        id=$(. /etc/os-release && echo "$ID ${VERSION_ID:-}")
    fi
    case "$(uname -s) $(uname -m) $id" in
    "Linux x86_64 debian 12" | "Linux x86_64 debian 13") RELEASE=${id#debian } ;;
    Linux\ aarch64*) way="arm64 is cross-compiled and untested: scripts/test.sh --arm64 on x86-64 does it" ;;
    Linux*) way="use such a machine, a container of debian:12 or debian:13, or a root made by debootstrap" ;;
    Darwin* | *BSD*) way="the sandbox needs Linux; use a virtual machine with Debian" ;;
    *) way="on Windows install Debian in WSL 2 and run this inside of it" ;;
    esac
    [ -n "$RELEASE" ] ||
        fail "this is $name on $(uname -s) $(uname -m); set-up knows Debian 12 and 13 on x86-64 only" \
            "$way (docs/setup.md)"
}

# --- distribution packages ----------------------------------------------------------------------

# Debian 13 carries some of what deps.lock holds for Debian 12, and no clang-format 14.
wanted_packages() {
    echo "$PACKAGES"
    [ -z "$arm64" ] || echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    if [ "$RELEASE" = 12 ]; then
        echo clang-format
    else
        echo libyyjson-dev
        [ "$HEARTH_ONNX" = OFF ] || [ -n "${HEARTH_ORT_DIR:-}" ] || echo libonnxruntime-dev
    fi
}

missing_packages() {
    local package
    for package in $(wanted_packages); do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed' || echo "$package"
    done
}

install_packages() {
    local missing as=() line
    missing=$(missing_packages | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    line="apt-get install -y --no-install-recommends $missing"
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            sudo -v || fail "sudo was refused" "run this as root, then again scripts/setup.sh:  $line"
            as=(sudo)
        else
            fail "distribution packages are missing, and installing them needs root" \
                "run this as root, then again scripts/setup.sh:  $line"
        fi
    fi
    note "installing $missing"
    local remedy='see that `apt-get update` works on this machine, then run this again'
    quietly apt-update "$remedy" "${as[@]}" apt-get -q -o DPkg::Lock::Timeout=300 update
    # shellcheck disable=SC2086   # the list is meant to be split
    quietly apt-install "$remedy" "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=300 install --no-install-recommends $missing
}

# --- build --------------------------------------------------------------------------------------

# What decides that a build folder must be made anew: options, and which engines .deps points at.
build_identity() {
    echo "HEARTH_ONNX=$HEARTH_ONNX HEARTH_GGUF=$HEARTH_GGUF"
    echo "HEARTH_ORT_DIR=${HEARTH_ORT_DIR:-} HEARTH_LLAMA_DIR=${HEARTH_LLAMA_DIR:-}"
    find .deps -maxdepth 1 -type l ! -name arm64 -printf '%f %l\n' | sort
}

build_preset() {
    local preset=$1 folder=build/$1 identity
    identity=$(build_identity)
    if [ "$(cat "$folder/identity" 2>/dev/null)" != "$identity" ]; then
        rm -rf "$folder"
        quietly "configure-$preset" 'see the log' cmake --preset "$preset" \
            -DHEARTH_ONNX="$HEARTH_ONNX" -DHEARTH_GGUF="$HEARTH_GGUF" \
            -DHEARTH_ORT_DIR="${HEARTH_ORT_DIR:-}" -DHEARTH_LLAMA_DIR="${HEARTH_LLAMA_DIR:-}"
        echo "$identity" >"$folder/identity"
    fi
    quietly "build-$preset" 'see the log: the first error counts' \
        cmake --build "$folder" --parallel "${HEARTH_JOBS:-$(nproc)}"
}

# --- check --------------------------------------------------------------------------------------

MISSING=0
# tool NAME MINIMUM FOUND PATH: one line of the table; counts what is missing or too old.
tool() {
    local state=ok
    if [ -z "$3" ]; then
        state=MISSING
    elif [ "$(printf '%s\n%s\n' "$2" "$3" | sort -V | head -n 1)" != "$2" ]; then
        state='TOO OLD'
    fi
    [ "$state" = ok ] || MISSING=$((MISSING + 1))
    printf '  %-18s %-22s >= %-9s %-8s %s\n' "$1" "${3:--}" "$2" "$state" "${4:--}"
}

program() {   # program NAME MINIMUM: its version is the first number that --version prints
    local path version=''
    path=$(command -v "$1" || true)
    [ -z "$path" ] || version=$("$path" --version 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1)
    tool "$(basename "$1")" "$2" "$version" "$path"
}

library() {   # library MODULE MINIMUM: as pkg-config knows it
    local version
    version=$(pkg-config --modversion "$1" 2>/dev/null || true)
    tool "$1" "$2" "$version" "$(pkg-config --variable=libdir "$1" 2>/dev/null || true)"
}

print_check() {
    printf '  %-18s %-22s %-12s %-8s %s\n' name found minimum state path
    tool linux 5.13 "$(uname -r | grep -oE '^[0-9.]+[0-9]')" "$(uname -v | cut -c1-40)"
    tool glibc 2.28 "$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)" "$(getconf GNU_LIBC_VERSION)"
    program gcc 12 && program g++ 12 && program cmake 3.25 && program ninja 1.10
    program pkg-config 0.29 && program /usr/bin/python3 3.11 && program strace 5
    if [ "$RELEASE" = 12 ]; then program clang-format 14; else program .deps/venv/bin/clang-format 14; fi
    library libseccomp 2.5 && library libcrypto 3.0 && library libutf8proc 2.6 && library libpcre2-8 10.40
    library inih 55 && library libcurl 7.85 && library cmocka 1.1.5
    [ "$RELEASE" = 12 ] || library yyjson 0.10
    [ "$RELEASE" = 12 ] || [ "$HEARTH_ONNX" = OFF ] || [ -n "${HEARTH_ORT_DIR:-}" ] ||
        library libonnxruntime 1.21
    local package
    for package in $(missing_packages); do
        tool "$package" - '' '(Debian package)'
    done
    if [ -x /usr/bin/python3 ]; then
        deps/fetch --check || MISSING=$((MISSING + 1))
    else
        tool deps.lock - '' '(needs python3)'
    fi
    if [ "$MISSING" != 0 ]; then
        echo "something is missing; scripts/setup.sh gets it"
        exit 1
    fi
}

# --- all of it ----------------------------------------------------------------------------------

require_platform
if [ -n "$check" ]; then
    print_check
    exit 0
fi

STEPS=2
[ -z "$build" ] || STEPS=$((STEPS + ${#presets[@]}))
[ -z "$models" ] || STEPS=$((STEPS + 1))
step "distribution packages"
install_packages
step "locked dependencies (deps/deps.lock)"
fetch_options=()
[ -n "$models" ] || fetch_options=(--no-models)
deps/fetch "${fetch_options[@]}" ||
    fail "the locked dependencies are not complete" "do what is said above, then run this again"
if [ -n "$arm64" ]; then
    deps/cross ||
        fail "the cross compiler's packages are not complete" "do what is said above, then run this again"
fi
if [ -n "$build" ]; then
    for preset in "${presets[@]}"; do
        step "build: $preset"
        build_preset "$preset"
    done
fi
if [ -n "$models" ]; then
    step "default models"
    scripts/download_models.sh --fetched ||
        fail "the default models are not complete" "do what is said above, then run this again"
fi
note "set-up complete after $(elapsed)"
