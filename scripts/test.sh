#!/usr/bin/env bash
# test.sh — sets up, builds and runs the tests.
#
# usage: scripts/test.sh [--list] [NAME...]
#        scripts/test.sh --combinations [NAME...]
#        scripts/test.sh --suites [SUITE...]
#        scripts/test.sh --arm64
#
#   NAME     runs only tests whose name contains it: `unit/wire`, `gates`, `unit-asan`, `tsan`.
#            The sanitizer builds take part only if a NAME says asan or tsan.
#   --list   prints the names of all tests and runs none
#   --combinations   builds with both, one and no engine, each anew in a folder of its own, and runs
#            in each what can run; what a missing engine would test is skipped by name. Ends with a
#            table. Takes about half an hour.
#   --suites only the tests of docs/validation/infrastructure-tests.md, of all suites or of those named:
#            lib, integration, connections, health, memory, protocol, scheduler. A row whose test did
#            not pass is named.
#   --arm64  only cross-compiles for arm64 as users would build it, optimised and without engines. A
#            full run compiles the same without optimising. Nothing of it is run.
#
# Each test is printed by name, then a table of suites, last `N passed, N failed, N skipped`. Without
# NAME, a suite that did not run counts as a failure. It ends with 0 only if nothing failed.
set -euo pipefail
# shellcheck source=scripts/progress.sh
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"
cd "$TOP"

# What a full run must have run. -asan and -tsan: the same tests in a sanitizer build.
SUITES=(gates setup unit fuzz-replay scenario suites anomaly compat models)
SANITIZED=(unit-asan fuzz-replay-asan scenario-asan suites-asan anomaly-asan unit-tsan)

# expectations ONNX GGUF: options for run-tests that name the suites of a build with these engines.
expectations() {
    local suites=("${SUITES[@]}")
    [ "$1" = OFF ] || suites+=(integration-onnx)
    [ "$2" = OFF ] || suites+=(integration-gguf)
    [ "$1$2" != ONON ] || suites+=(end-to-end)
    printf -- '--expect %s ' "${suites[@]}"
}

list='' combinations='' arm64='' suites='' names=()
for argument in "$@"; do
    case $argument in
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 0 ;;
    --list) list=yes ;;
    --combinations) combinations=yes ;;
    --arm64) arm64=yes ;;
    --suites) suites=yes ;;
    -*) echo "test.sh: unknown option $argument (see scripts/test.sh --help)" >&2 && exit 2 ;;
    *) names+=("$argument") ;;
    esac
done

presets=(--preset release) folders=(build/release)
if [ ${#names[@]} = 0 ] || [[ "${names[*]}" == *asan* ]]; then
    presets+=(--preset asan) folders+=(build/asan:-asan:unit,fuzz-replay,scenario,suites,anomaly)
fi
if [ ${#names[@]} = 0 ] || [[ "${names[*]}" == *tsan* ]]; then
    presets+=(--preset tsan) folders+=(build/tsan:-tsan:unit)
fi

# combination NAME ONNX GGUF: builds, tests, and adds a line to TABLE.
combination() {
    local folder=build/combinations/$1 begun seconds log=$LOGS/combination-$1.log code=0
    begun=$(date +%s)
    rm -rf "$folder"
    step "build with $1"
    quietly "configure-$1" 'see the log' cmake -S . -B "$folder" -G Ninja \
        -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHEARTH_ONNX="$2" -DHEARTH_GGUF="$3" \
        -DHEARTH_ORT_DIR="${HEARTH_ORT_DIR:-}" -DHEARTH_LLAMA_DIR="${HEARTH_LLAMA_DIR:-}"
    quietly "build-$1" 'see the log: the first error counts' \
        cmake --build "$folder" --parallel "${HEARTH_JOBS:-$(nproc)}"
    seconds=$(($(date +%s) - begun))
    step "tests with $1"
    # shellcheck disable=SC2046   # a list of options
    tools/run-tests $(expectations "$2" "$3") "$folder" -- "${names[@]}" | tee "$log" || code=1
    # shellcheck disable=SC2046   # "614 passed, 0 failed, 15 skipped"
    set -- "$1" $(tail -n 1 "$log" | grep -oE '[0-9]+')
    TABLE+=$(printf '%-14s %8s %8s %8s %8s' "$1" "$seconds" "${2:--}" "${3:--}" "${4:--}")$'\n'
    [ "$code" = 0 ] || FAILED+=" $1"
}

if [ -n "$arm64" ]; then
    scripts/setup.sh --no-build --no-models --no-engines --with-arm64
    HEARTH_ARM64_FLAGS='-O2 -g' tools/check-arm64 "$TOP" build/arm64-optimised
    exit
fi
if [ -n "$suites" ]; then
    scripts/setup.sh --preset release
    exec tools/suites --run "${names[@]}" build/release
fi
if [ -n "$combinations" ]; then
    scripts/setup.sh --no-build
    STEPS=8 TABLE='' FAILED=''
    combination onnx-gguf ON ON
    combination onnx ON OFF
    combination gguf OFF ON
    combination no-engine OFF OFF
    printf '\n%-14s %8s %8s %8s %8s\n%s' combination 'build s' passed failed skipped "$TABLE"
    [ -z "$FAILED" ] ||
        fail "these combinations failed:$FAILED" "see the failed tests above, or build/logs/"
    exit 0
fi

if [ ${#names[@]} = 0 ] || [[ "${names[*]}" == *arm64* ]]; then
    presets+=(--with-arm64)
fi
scripts/setup.sh "${presets[@]}"
if [ -n "$list" ]; then
    exec tools/run-tests --list "${folders[@]}"
fi
expected=$(expectations "${HEARTH_ONNX:-ON}" "${HEARTH_GGUF:-ON}")
# shellcheck disable=SC2046,SC2086   # lists of options
tools/run-tests $expected $(printf -- '--expect %s ' "${SANITIZED[@]}") "${folders[@]}" -- "${names[@]}"
