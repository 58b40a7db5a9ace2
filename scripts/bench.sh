#!/usr/bin/env bash
# bench.sh — sets up, then runs benchmarks and prints how sure each figure is.
#
# usage: scripts/bench.sh [OPTION...] NAME...     runs the cases whose id contains a NAME
#        scripts/bench.sh --list | --self-check | --help
#
#   --list        prints the cases and what they compare
#   --all         every case
#   --quick       a look at all of them, or at NAME...: wide intervals, seconds a case
#                 (half a minute for daemon/...)
#   --check       compares the results of both sides and times nothing
#   --aa          a case against itself: must be called unchanged
#   --self-check  checks the harness on data whose truth is known, 1,000 runs a claim
#   --seconds N, --precision PERCENT, --json FILE: see `hearth-bench --help`
#
# One JSON file a run goes to build/bench/. It ends with 0 when every goal is met, 1 for a wrong
# result, 2 for wrong usage, 3 for a goal that is missed, 4 if the machine was not quiet
# (INCONCLUSIVE), 5 if something was missing here (SKIPPED). docs/internals/bench.md tells more.
set -euo pipefail
# shellcheck source=scripts/progress.sh
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"
cd "$TOP"

arguments=() names=0 has_json='' is_quick='' wants_run=yes value=''
for argument in "$@"; do
    if [ -n "$value" ]; then
        value=''
        arguments+=("$argument")
        continue
    fi
    case $argument in
    -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 0 ;;
    --list | --self-check) wants_run='' ;;
    --quick) is_quick=yes ;;
    --all) names=1 ;;
    --json) has_json=yes value=yes ;;
    --seconds | --precision | --runs | --bin | --models | --commit) value=yes ;;
    --aa | --check) ;;
    -*) echo "bench.sh: unknown option $argument (see scripts/bench.sh --help)" >&2 && exit 2 ;;
    *) names=1 ;;
    esac
    arguments+=("$argument")
done
if [ "$wants_run" = yes ] && [ "$names" = 0 ]; then
    if [ -z "$is_quick" ]; then
        echo "bench.sh: which case? (see scripts/bench.sh --list, or say --all)" >&2
        exit 2
    fi
    arguments+=(--all)
fi

scripts/setup.sh >&2
if [ "$wants_run" = yes ]; then
    if [ ! -x /usr/bin/redis-server ]; then
        note "noop/throughput needs redis-server: apt-get install --no-install-recommends redis-server"
    fi
    if [ ! -d .deps/bench/model ]; then
        note "onnx/servers needs servers to compare with: deps/bench gets them (1 GB)"
    fi
    if [ ! -d .deps/bench/llama ] || [ ! -d .deps/bench/gguf ]; then
        note "gguf needs llama-server and models: deps/bench --only llama --only gguf (3 GB)"
    fi
    if [ -z "$has_json" ]; then
        mkdir -p build/bench
        arguments+=(--json "build/bench/$(date -u +%Y%m%dT%H%M%SZ).json")
    fi
    if commit=$(git rev-parse --short HEAD 2>/dev/null); then
        git diff --quiet HEAD -- src bench 2>/dev/null || commit="$commit, changed"
        arguments+=(--commit "$commit")
    fi
fi
exec build/release/bin/hearth-bench "${arguments[@]}"
