# Sourced by ./run: odoo, bench and demo.
#
# What a benchmark or the demo finds in its environment:
#   BRIDGE_ROOT         the checkout
#   BRIDGE_RUNTIME      folder for files that are not kept in git
#   BRIDGE_PYTHON_BIN   the virtual environment's python
#   BRIDGE_ODOO_BIN     Odoo's start script; run it with BRIDGE_PYTHON_BIN
#   BRIDGE_ODOO_CONF    config file for -c (addons path, database server, ports)
#   BRIDGE_TEMPLATE_DB  database with point_of_sale, stock, … but without this addon:
#                       copy it (createdb -T) and install there
#   BRIDGE_QUEUE_JOB    addons folder of OCA queue_job
#   BRIDGE_HTTP_PORT, BRIDGE_GEVENT_PORT   ports in the config
#   PGHOST PGPORT PGUSER PGPASSWORD        the database server
#   PYTHONPATH          makes "import odoo" and the checkout's packages work

export_contract() {
    export BRIDGE_ROOT=$ROOT BRIDGE_RUNTIME=$RUNTIME BRIDGE_PYTHON_BIN=$VENV/bin/python
    export BRIDGE_ODOO_BIN=$ODOO_BIN BRIDGE_ODOO_CONF=$ODOO_CONF BRIDGE_TEMPLATE_DB=$TEMPLATE_DB
    export BRIDGE_QUEUE_JOB=$QUEUE_JOB/odoo/addons
    export BRIDGE_HTTP_PORT=$HTTP_PORT BRIDGE_GEVENT_PORT=$GEVENT_PORT ODOO_RC=$ODOO_CONF
    export PYTHONPATH=$ODOO_LIB:$ROOT PATH=$VENV/bin:$PATH
}

print_contract() {
    local name
    echo "export BRIDGE_PG_OWN=$PG_OWN"
    for name in ${!BRIDGE_@} ODOO_RC PGHOST PGPORT PGUSER PGPASSWORD PYTHONPATH PATH; do
        [ -z "${!name:-}" ] || printf 'export %s=%q\n' "$name" "${!name}"
    done
}

fresh_db() {
    [[ ${1:-} =~ ^[a-z0-9_]+$ ]] || die "./run db NAME: small letters, digits and _"
    drop_db "$1"
    copy_db "$TEMPLATE_DB" "$1" || die "cannot create $1"
    step "database $1 is a fresh copy of $TEMPLATE_DB"
}

# With a terminal in the foreground: "odoo shell" reads from it, and Ctrl-C reaches
# Odoo, which ends by itself. Without one, signals are passed on.
run_odoo() {
    export ODOO_RC=$ODOO_CONF
    if [ -t 0 ]; then
        trap : INT
        odoo "$@"
    else
        run_child "$VENV/bin/python" "$ODOO_BIN" "$@"
    fi
}

# A relative path is the caller's, not the checkout's.
run_tax_cases() {
    local file=${1:-}
    [ $# = 1 ] || die "./run tax-cases FILE"
    [[ $file == /* ]] || file=$CALLER/$file
    (cd "$ROOT/pos_erp_bridge" && PYTHONPATH='' "$VENV/bin/python" -m fiscal.tax_cases "$file")
}

# verify DB: status 1 when anything was changed.
run_verify() {
    [ $# = 1 ] || die "./run verify DB"
    db_exists "$1" || die "there is no database $1"
    odoo shell -c "$ODOO_CONF" -d "$1" --no-http --log-level=error <"$ROOT/scripts/verify.py"
}

run_bench() {
    local name=${1:-}
    if [ -z "$name" ]; then
        echo "benchmarks:"
        find "$ROOT/benchmarks" -maxdepth 1 -type f \( -name '*.py' -o -name '*.sh' \) ! -name '_*' 2>/dev/null |
            sed -E 's#.*/(.*)\.(py|sh)$#  \1#' | sort
        return
    fi
    shift
    local file=$ROOT/benchmarks/$name.sh with=bash
    [ -f "$file" ] || file=$ROOT/benchmarks/$name.py with=$VENV/bin/python
    [ -f "$file" ] || die "no benchmark $name; ./run bench lists them"
    setup_all
    setup_template
    export_contract
    run_child "$with" "$file" "$@" </dev/null
}

# Pictures of the papers in the manual, from the PDFs a customer gets.
run_papers() {
    local db=bridge_papers_$$
    copy_db "$TEMPLATE_DB" "$db" || die "cannot copy the template database"
    step "install the addon on a copy of the template"
    export_contract
    logged papers-install odoo -c "$ODOO_CONF" -d "$db" -i pos_erp_bridge --stop-after-init --no-http &&
        odoo shell -c "$ODOO_CONF" -d "$db" --no-http <"$ROOT/scripts/make_papers.py" 2>"$LOGS/papers.log"
    local status=$?
    drop_db "$db"
    [ "$status" = 0 ] || die "see $LOGS/papers.log"
}

run_demo() {
    [ -f "$ROOT/demo/run_demo.py" ] || die "demo/run_demo.py is missing from this checkout"
    need_port "$HTTP_PORT" BRIDGE_HTTP_PORT
    need_port "$GEVENT_PORT" BRIDGE_GEVENT_PORT
    setup_template
    export_contract
    run_child "$VENV/bin/python" "$ROOT/demo/run_demo.py" "$@" </dev/null
}

# run_child COMMAND...: in a process group of its own, so that a signal to this
# script reaches it once, and nothing it started can outlive it.
run_child() {
    local signal='' status
    start_group "$@"
    trap 'signal=130; kill -INT -- "-$CHILD" 2>/dev/null' INT
    trap 'signal=143; kill -TERM -- "-$CHILD" 2>/dev/null' TERM HUP
    while :; do
        wait "$CHILD"
        status=$?
        kill -0 "$CHILD" 2>/dev/null || break # woken by a signal: it is still ending
    done
    [ -z "$signal" ] || [ "$status" -lt 128 ] || status=$signal
    return "$status"
}
