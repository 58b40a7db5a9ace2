# shellcheck shell=bash
# What the other scripts use to say what they do; sourced, never run. A *step* is numbered and timed.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LOGS=$TOP/build/logs
STEP=0 STEPS=0
STARTED=$(date +%s)

elapsed() { echo "$(($(date +%s) - STARTED)) s"; }

# step TITLE: begins the next step.
step() {
    STEP=$((STEP + 1))
    printf '[%d/%d] %s (at %s)\n' "$STEP" "$STEPS" "$1" "$(elapsed)"
}

note() { printf '      %s\n' "$*"; }

# fail WHAT REMEDY [LOG]: ends the script; says which step, why, and what to do.
fail() {
    {
        [ "$STEP" -gt 0 ] && printf '\nstep %d of %d failed: ' "$STEP" "$STEPS"
        printf '%s\n' "$1"
        if [ -n "${3:-}" ] && [ -s "$3" ]; then
            grep -m 3 -E '(^|[^-_[:alnum:]])(error|Error|ERROR|FAILED)[: ]' "$3" | cut -c1-300 | sed 's/^/    > /' || true
            tail -n 15 "$3" | cut -c1-300 | sed 's/^/    | /'
            printf '  log: %s\n' "$3"
        fi
        printf '  remedy: %s\n' "$2"
    } >&2
    exit 1
}

# quietly NAME REMEDY COMMAND...: runs with the output in a log; every 10 s says that it still runs.
quietly() {
    local name=$1 remedy=$2 log=$LOGS/$1.log pid code=0 begun now last
    shift 2
    mkdir -p "$LOGS"
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
    begun=$(date +%s) last=$begun
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.1
        now=$(date +%s)
        if [ $((now - last)) -ge 10 ]; then
            last=$now
            note "… $name, $((now - begun)) s $(grep -oE '^\[[0-9]+/[0-9]+\]' "$log" | tail -n 1)"
        fi
    done
    wait "$pid" || code=$?
    trap - INT TERM
    [ "$code" = 0 ] || fail "$name: $(basename "$1") ended with status $code" "$remedy" "$log"
}
