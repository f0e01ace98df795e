# Sourced by ./run: linters, and the rules of the house as checks.

run_lint() {
    lint_stage
    finish
}

lint_stage() {
    local python=$VENV/bin/python bash_files
    check ruff "$VENV/bin/ruff" check --quiet --cache-dir "$RUNTIME/ruff_cache" "$ROOT"
    check pylint-odoo lint_addon
    mapfile -t bash_files < <(printf '%s\n' run .ci/run scripts/*.sh; ls benchmarks/*.sh 2>/dev/null)
    check "bash syntax" lint_bash "${bash_files[@]}"
    local rule
    for rule in $("$python" scripts/house_rules.py --list); do
        check "house rule: $rule" "$python" scripts/house_rules.py "$rule"
    done
}

lint_addon() {
    [ -d pos_erp_bridge ] || return 0
    # pylint keeps statistics in the home folder otherwise.
    PYLINTHOME=$RUNTIME/pylint PYTHONPATH='' "$VENV/bin/pylint" --rcfile pyproject.toml --score n pos_erp_bridge
}

lint_bash() {
    local file
    for file; do
        [ ! -f "$file" ] || bash -n "$file" || return
    done
    ! command -v shellcheck >/dev/null || shellcheck -x -S warning "$@"
}

# check NAME COMMAND...: one counted check; its output is shown when it fails.
check() {
    local name=$1 out
    shift
    if out=$("$@" 2>&1); then
        count 1 0 0
    else
        count 0 1 0
        printf '%s\n' "$out" | tail -n 60 >&2
        FAILURES+=("$name")
        step "$name: FAILED"
    fi
}
