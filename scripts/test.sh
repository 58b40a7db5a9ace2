#!/usr/bin/env bash
# test.sh — sets up, builds and runs the tests.
#
# usage: scripts/test.sh [--list] [NAME...]
#
#   NAME     runs only tests whose name contains it: `unit/wire`, `gates`, `unit-asan`, `tsan`.
#            The sanitizer builds take part only if a NAME says asan or tsan.
#   --list   prints the names of all tests and runs none
#
# Each test is printed by name, then a table of suites, last `N passed, N failed, N skipped`. Without
# NAME, a suite that did not run counts as a failure. It ends with 0 only if nothing failed.
set -euo pipefail
# shellcheck source=scripts/progress.sh
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"
cd "$TOP"

# What a full run must have run. -asan and -tsan: the same tests in a sanitizer build.
SUITES=(gates setup unit fuzz-replay scenario anomaly compat models
    unit-asan fuzz-replay-asan scenario-asan anomaly-asan unit-tsan)
[ "${HEARTH_ONNX:-ON}" = OFF ] || SUITES+=(integration-onnx)
[ "${HEARTH_GGUF:-ON}" = OFF ] || SUITES+=(integration-gguf)
[ "${HEARTH_ONNX:-ON}${HEARTH_GGUF:-ON}" = ONON ] && SUITES+=(end-to-end)

list='' names=()
for argument in "$@"; do
    case $argument in
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 0 ;;
    --list) list=yes ;;
    -*) echo "test.sh: unknown option $argument (see scripts/test.sh --help)" >&2 && exit 2 ;;
    *) names+=("$argument") ;;
    esac
done

presets=(--preset release) folders=(build/release)
if [ ${#names[@]} = 0 ] || [[ "${names[*]}" == *asan* ]]; then
    presets+=(--preset asan) folders+=(build/asan:-asan:unit,fuzz-replay,scenario,anomaly)
fi
if [ ${#names[@]} = 0 ] || [[ "${names[*]}" == *tsan* ]]; then
    presets+=(--preset tsan) folders+=(build/tsan:-tsan:unit)
fi

scripts/setup.sh "${presets[@]}"
if [ -n "$list" ]; then
    exec tools/run-tests --list "${folders[@]}"
fi
expected=()
for suite in "${SUITES[@]}"; do
    expected+=(--expect "$suite")
done
tools/run-tests "${expected[@]}" "${folders[@]}" -- "${names[@]}"
