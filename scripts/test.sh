# Sourced by ./run: the test stages. Each stands for itself: one that fails does
# not hide the next. The last line printed is the total.

STAGES=lint,pure,addon,fiscal,model,race,tours,stock,install
PASSED=0 FAILED=0 SKIPPED=0
FAILURES=()
TEST_DB=bridge_test_$$
INSTALLED_DB=${TEST_DB}_installed

count() { PASSED=$((PASSED + $1)) FAILED=$((FAILED + $2)) SKIPPED=$((SKIPPED + $3)); }

finish() {
    local failure
    for failure in "${FAILURES[@]}"; do echo "FAILED $failure"; done
    echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
    [ "$FAILED" = 0 ] && [ "$PASSED" -gt 0 ]
}

run_tests() {
    local stages=$STAGES selectors=() pure=() tags=() stage
    while [ $# -gt 0 ]; do
        case $1 in
            --fast) stages=lint,pure,addon,fiscal ;;
            --only) stages=${2:-}; shift ;;
            --only=*) stages=${1#*=} ;;
            *) selectors+=("$1") ;;
        esac
        shift
    done
    sort_selectors "${selectors[@]}"
    [ "${#selectors[@]}" = 0 ] || stages=$(selected_stages)
    for stage in ${stages//,/ }; do
        [[ ,$STAGES, == *",$stage,"* ]] || die "no such stage: $stage (there are $STAGES)"
    done
    case ,$stages, in
        *,addon,* | *,fiscal,* | *,model,* | *,race,* | *,tours,*) setup_all; setup_template; drop_stale; install_once ;;
        *,stock,* | *,install,*) setup_all; setup_template; drop_stale ;;
        *) setup_base ;;
    esac
    [[ ,$stages, != *,pure,* ]] || { setup_lock; setup_node_packages; setup_unlock; }
    run_lanes ${stages//,/ }
    [ -z "${PGHOST:-}" ] || drop_db "${INSTALLED_DB}" "${TEST_DB}"_{addon,fiscal,model,race,tours,stock,empty,demo}
    finish
}

# The stages addon and tours take about as long as all others together and keep little more than one core busy: the
# others run beside them, on databases and ports of their own.
run_lanes() {
    local stage first=() second=()
    for stage; do
        if [[ $stage =~ ^(addon|tours)$ ]]; then first+=("$stage"); else second+=("$stage"); fi
    done
    local lanes=()
    [ "${#first[@]}" = 0 ] || { start_group lane 1 "${first[@]}"; lanes+=("1 $CHILD"); }
    [ "${#second[@]}" = 0 ] || { start_group lane 2 "${second[@]}"; lanes+=("2 $CHILD"); }
    local entry
    for entry in "${lanes[@]}"; do
        wait "${entry#* }"
        lane_result "${entry% *}"
    done
}

lane() { # lane NUMBER STAGE...: in a shell of its own; what came of it goes to a file
    local number=$1 stage began
    shift
    trap end_groups EXIT
    trap 'exit 143' HUP INT TERM
    CHILDREN=() PASSED=0 FAILED=0 SKIPPED=0 FAILURES=()
    HTTP_PORT=$((HTTP_PORT + 40 * (number - 1)))
    for stage; do
        began=$SECONDS
        step "== $stage"
        "${stage}_stage"
        step "== $stage took $((SECONDS - began)) s; this lane so far: $PASSED passed, $FAILED failed, $SKIPPED skipped"
    done
    printf '%s\n' "$PASSED $FAILED $SKIPPED" "${FAILURES[@]}" >"$LOGS/lane-$$-$number"
}

lane_result() { # lane_result NUMBER
    local counts=() failures=()
    mapfile -t failures <"$LOGS/lane-$$-$1"
    rm -f "$LOGS/lane-$$-$1"
    read -ra counts <<<"${failures[0]:-}"
    [ "${#counts[@]}" = 3 ] || { fail "lane $1 broke off"; return; }
    count "${counts[@]}"
    FAILURES+=("${failures[@]:1}")
}

# Selectors as for pytest: what is below pos_erp_bridge/tests is run by Odoo
# (path.py::Class::test → /path.py:Class.test), all the rest by pytest.
sort_selectors() {
    local selector
    for selector; do
        case $selector in
            pos_erp_bridge/*)
                selector=/${selector%/}
                [[ $selector == *.py* ]] || selector=/pos_erp_bridge
                selector=${selector/::/:}
                tags+=("${selector/::/.}") ;;
            *) pure+=("$selector") ;;
        esac
    done
}
selected_stages() {
    local list=()
    [ "${#pure[@]}" = 0 ] || list+=(pure)
    [ "${#tags[@]}" = 0 ] || list+=(addon)
    (IFS=,; echo "${list[*]}")
}

# ------------------------------------------------------------------ stages

# Without Odoo on the path: proof that these parts work without it.
pure_stage() {
    if [ "${#pure[@]}" = 0 ] && [ ! -d tests ]; then
        step "there is no folder tests"
        fail pure
        return
    fi
    pytests pure "${pure[@]}"
}

pytests() { # pytests STAGE ARGS
    local stage=$1 report=$LOGS/$1.xml counts status passed failed skipped
    shift
    rm -f "$report"
    PYTHONPATH='' "$VENV/bin/python" -m pytest -q --junitxml="$report" "$@" </dev/null >&2
    status=$?
    counts=$("$VENV/bin/python" - "$report" <<'PY'
import sys
from xml.etree import ElementTree
total = [0, 0, 0]
for suite in ElementTree.parse(sys.argv[1]).iter("testsuite"):
    tests, bad, skipped = (int(suite.get(k, 0)) for k in ("tests", "failures", "skipped"))
    bad += int(suite.get("errors", 0))
    total = [a + b for a, b in zip(total, (tests - bad - skipped, bad, skipped))]
print(*total)
PY
    ) || counts="0 1 0"
    read -r passed failed skipped <<<"$counts"
    [ "$status" = 0 ] || [ "$failed" -gt 0 ] || failed=1
    count "$passed" "$failed" "$skipped"
    [ "$failed" = 0 ] || FAILURES+=("$stage: $failed (pytest)")
}

addon_stage() {
    local db=${TEST_DB}_addon
    installed_copy addon "$db" || return
    local list=/pos_erp_bridge,-$(other_stages)
    [ "${#tags[@]}" = 0 ] || list=$(IFS=,; echo "${tags[*]}")
    odoo_tests addon "$list" "$db"
    [ "${#tags[@]}" != 0 ] || check "ja.po covers every term" catalogue check "$db"
}

# Tests of the addon that are run in the other lane, so that both take about as long: documents and taxes, and hundreds
# of random histories of one stock against a small model of it.
FISCAL_TESTS=(pos_erp_bridge/tests/test_{books,document,papers,registration,summary,tax,tie_out}*.py)
MODEL_TESTS=(pos_erp_bridge/tests/test_stock_model.py)

fiscal_stage() { other_stage fiscal "${FISCAL_TESTS[@]}"; }
model_stage() { other_stage model "${MODEL_TESTS[@]}"; }

other_stage() { # other_stage NAME FILE...
    local name=$1 db=${TEST_DB}_$1
    shift
    installed_copy "$name" "$db" || return
    odoo_tests "$name" "$(IFS=,; echo "${*/#//}")" "$db"
}

# Their files as Odoo leaves them out: each but the first with its own comma and minus.
other_stages() {
    local files=("${FISCAL_TESTS[@]}" "${MODEL_TESTS[@]}")
    (IFS=,; echo "${files[*]/#//}") | sed 's/,/,-/g'
}

# catalogue check|merge DB: the terms of the addon installed in DB against ja.po.
catalogue() {
    local pot=$RUNTIME/pos_erp_bridge.pot
    odoo i18n export -c "$ODOO_CONF" -d "$2" -o "$pot" pos_erp_bridge >"$LOGS/i18n.log" 2>&1 </dev/null ||
        { tail -n 5 "$LOGS/i18n.log"; return 1; }
    "$VENV/bin/python" scripts/catalogue.py "$1" "$pot" pos_erp_bridge/i18n/ja.po
}

# ./run i18n: brings the new terms of the code into ja.po, to be translated there.
run_i18n() {
    install_once
    [ "$INSTALLED" = no ] || catalogue merge "$INSTALLED_DB"
    drop_db "$INSTALLED_DB"
}

# Concurrency tests commit for real; they are tagged -standard, so only this runs them.
race_stage() {
    local db=${TEST_DB}_race
    installed_copy race "$db" || return
    # With manufacturing: only then there are kits, which share components.
    if odoo_run race-mrp -d "$db" -i mrp; then
        odoo_tests race bridge_race/pos_erp_bridge "$db"
    else
        fail "race: manufacturing does not install beside the addon"
    fi
    drop_db "$db"
}

# Odoo's own till tours in a browser, with the addon installed; and its tax tests, whose helper the addon changes for
# Japanese companies only, in Python and in a browser.
tours_stage() {
    local db=${TEST_DB}_tours
    installed_copy tours "$db" || return
    local tills=/point_of_sale:TestUi.test_01_pos_basic_order,/point_of_sale:TestUi.test_07_product_combo
    local totals=/account:TestTaxesTaxTotalsSummary.test_taxes_l10n_be
    local discount=/account:TestTaxesGlobalDiscount.test_taxes_l10n_br_generic_helpers
    odoo_tests tours "$tills,${totals}_invoices,${totals}_generic_helpers,$discount" "$db"
}

# Odoo's till and kiosk without the addon, in a browser, print and scan through the hardware proxy: one server, one
# browser.
stock_stage() {
    local db=${TEST_DB}_stock folder=$LOGS/stock
    copy_db "$TEMPLATE_DB" "$db" || { fail "stock: the database cannot be copied"; return; }
    rm -rf "$folder"
    BRIDGE_STOCK_DB=$db BRIDGE_STOCK_FOLDER=$folder BRIDGE_ODOO_BIN=$ODOO_BIN BRIDGE_ODOO_CONF=$ODOO_CONF \
        BRIDGE_ODOO_LIB=$ODOO_LIB pytests stock tests/stock_till
    drop_db "$db"
}

# On a database with nothing else, then away again; and beside demo data.
install_stage() {
    local db=${TEST_DB}_empty
    createdb "$db"
    if odoo_run install-empty -d "$db" -i pos_erp_bridge; then
        count 1 0 0
        uninstall_check "$db"
    else
        fail install-empty
    fi
    drop_db "$db"
    db=${TEST_DB}_demo
    createdb "$db"
    if odoo_run install-demo -d "$db" -i pos_erp_bridge --with-demo; then count 1 0 0; else fail install-demo; fi
    drop_db "$db"
}

uninstall_check() { # uninstall_check DB
    local left log=$LOGS/test-uninstall.log
    step "uninstall"
    bounded "$log" "$VENV/bin/python" "$ODOO_BIN" shell -c "$ODOO_CONF" -d "$1" --no-http <scripts/uninstall.py
    left=$(psql -Atqd "$1" -c "select tablename from pg_tables where tablename like 'bridge\_%'" | tr '\n' ' ')
    if ! grep -q '^UNINSTALLED$' "$log"; then
        tail -n 20 "$log" >&2
        fail uninstall
    elif [ -n "$left" ]; then
        step "tables left behind: $left"
        fail uninstall
    elif judged uninstall "$log" && odoo_run after-uninstall -d "$1"; then
        count 1 0 0
    else
        fail uninstall
    fi
}

# ----------------------------------------------------------------- helpers

fail() { count 0 1 0; FAILURES+=("$1"); }

# The template plus the addon, once; the stages of its tests work on copies.
install_once() {
    step "install the addon on a copy of the template"
    copy_db "$TEMPLATE_DB" "$INSTALLED_DB" || die "cannot copy the template database"
    odoo_run install -d "$INSTALLED_DB" -i pos_erp_bridge
    case $? in
        0) INSTALLED=yes ;;
        1) INSTALLED=yes; fail "install: warnings in the log" ;;
        *) INSTALLED=no; fail "the addon does not install" ;;
    esac
}

installed_copy() { # installed_copy STAGE DB
    [ "$INSTALLED" = yes ] || { fail "$1: the addon does not install"; return 1; }
    copy_db "$INSTALLED_DB" "$2" || { fail "$1: the database cannot be copied"; return 1; }
}

# odoo_run NAME ARGS: one Odoo process that ends by itself. Returns 0 when it ended
# well and its log is clean, 1 when only the log is not, 2 when it failed.
odoo_run() {
    local name=$1 log=$LOGS/test-$1.log status
    shift
    bounded "$log" "$VENV/bin/python" "$ODOO_BIN" -c "$ODOO_CONF" --stop-after-init --no-http "$@" </dev/null
    status=$?
    judged "$name" "$log"
    local clean=$?
    [ "$status" = 0 ] || { step "$name: Odoo ended with $status, see ${log#"$ROOT"/}"; return 2; }
    return "$clean"
}

# judged NAME LOG: prints what is wrong in a log without tests.
judged() {
    local counts
    counts=$("$VENV/bin/python" scripts/odoo_log.py "$2" scripts/log_allowed.txt) || return
    [ "$counts" = "0 0 0" ] || { step "$1: see ${2#"$ROOT"/}"; return 1; }
}

odoo_tests() { # odoo_tests NAME TAGS DB
    local log=$LOGS/test-$1.log status http gevent passed failed skipped
    http=$(free_port "$HTTP_PORT") gevent=$(free_port $((http + 1)))
    bounded "$log" "$VENV/bin/python" "$ODOO_BIN" -c "$ODOO_CONF" -d "$3" --test-tags "$2" --stop-after-init \
        --http-port "$http" --gevent-port "$gevent" </dev/null
    status=$?
    read -r passed failed skipped < <("$VENV/bin/python" scripts/odoo_log.py "$log" scripts/log_allowed.txt)
    if [ "$failed" = 0 ] && [ "$passed" = 0 ] && [ "$status" = 0 ]; then
        step "$1: no test was run by --test-tags $2"
        failed=1
    elif [ "$failed" = 0 ] && [ "$status" != 0 ]; then
        step "$1: Odoo ended with $status after $passed tests"
        tail -n 15 "$log" >&2
        failed=1
    fi
    count "$passed" "$failed" "$skipped"
    [ "$failed" = 0 ] || { FAILURES+=("$1: $failed (full log: ${log#"$ROOT"/})"); }
}

# bounded LOG COMMAND...: in a process group of its own with a limit, so that
# neither a hanging tour nor its browser outlives the stage.
bounded() {
    local log=$1 status
    shift
    start_group timeout --foreground --kill-after=30 "${BRIDGE_STAGE_LIMIT:-2400}" "$@" >"$log" 2>&1
    wait "$CHILD"
    status=$?
    end_groups
    return "$status"
}

# Databases of runs that were killed.
drop_stale() {
    local db pid
    for db in $(psql -Atqd postgres -c "select datname from pg_database where datname ~ '^bridge_test_[0-9]+_'"); do
        pid=${db#bridge_test_}
        kill -0 "${pid%%_*}" 2>/dev/null || drop_db "$db"
    done
}

free_port() { # free_port FROM: the first that nobody answers on
    local port=$1
    while port_taken "$port"; do port=$((port + 2)); done
    echo "$port"
}
