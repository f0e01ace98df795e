# Sourced by ./run: paths, messages, stamps, locks.

RUNTIME=$ROOT/.runtime
STAMPS=$RUNTIME/stamps
LOGS=$RUNTIME/log
VENV=$RUNTIME/venv
QUEUE_JOB=$RUNTIME/queue_job

# A bare machine sets no locale; Python, PostgreSQL and Chromium want UTF-8.
export LANG=${LANG:-C.UTF-8}
export PIP_DISABLE_PIP_VERSION_CHECK=1

step() { printf '[%4d s] %s\n' "$SECONDS" "$*" >&2; }
die() { printf '\nrun: %s\n' "$*" >&2; exit 1; }

# logged NAME COMMAND...: output goes to a log file, its end is shown on failure.
logged() {
    local log=$LOGS/$1.log
    shift
    "$@" >"$log" 2>&1 </dev/null && return
    printf '\n--- %s\n' "$log" >&2
    tail -n 25 "$log" >&2
    return 1
}

# stamped NAME KEY: true when NAME was finished with this very KEY.
stamped() { [ "$(cat "$STAMPS/$1" 2>/dev/null)" = "$2" ]; }
stamp() { printf '%s\n' "$2" >"$STAMPS/$1"; }
hash_of() { cat "$@" | sha256sum | cut -c1-16; }

# Two ./run at once must not unpack over each other: one sets up, others wait.
setup_lock() {
    mkdir -p "$STAMPS" "$LOGS" "$RUNTIME/etc"
    exec {SETUP_FD}>"$RUNTIME/setup.lock"
    flock -n "$SETUP_FD" || { step "waiting for another ./run to finish its set-up"; flock "$SETUP_FD"; }
}
setup_unlock() { flock -u "$SETUP_FD"; exec {SETUP_FD}>&-; }

# port_taken PORT: something on this machine already answers there.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# need_port PORT VARIABLE: says plainly what to do when it is taken.
need_port() { ! port_taken "$1" || die "port $1 is taken by another program; choose one with $2=…"; }

# Background children get a process group of their own, ended by recorded id.
CHILDREN=()
start_group() { # start_group COMMAND...: sets CHILD; input and output are the caller's
    set -m
    "$@" <&0 &
    CHILD=$!
    set +m
    CHILDREN+=("$CHILD")
}
end_groups() {
    local pid i
    for pid in "${CHILDREN[@]}"; do
        kill -TERM -- "-$pid" 2>/dev/null || continue
        for i in {1..100}; do kill -0 -- "-$pid" 2>/dev/null || break; sleep 0.1; done
        kill -KILL -- "-$pid" 2>/dev/null
    done
    CHILDREN=()
}
