# Sourced by ./run: a PostgreSQL of the project's own, or the user's (PGHOST set).
#
# Own cluster: 127.0.0.1 only, password (scram), port BRIDGE_PG_PORT. PostgreSQL
# refuses to run as root, and a checkout below /root is closed to other users, so
# for root the data live under /var/lib and the server runs as "postgres".
#
# Shared by parallel ./run: each holds users.lock shared; the last one out stops
# the server. BRIDGE_KEEP_PG=1 leaves it running until "./run stop".

PG_PORT=${BRIDGE_PG_PORT:-54329}
if [ "$(id -u)" = 0 ]; then
    PG_HOME=/var/lib/pos_erp_bridge/$(printf %s "$ROOT" | sha256sum | cut -c1-12)
else
    PG_HOME=$RUNTIME/postgres
fi
PG_DATA=$PG_HOME/data
PG_OWN= # set while this run uses the project's cluster

# pg_bin NAME: a server program; Debian keeps them off the PATH, by version.
pg_bin() {
    local found
    found=$({ ls -d /usr/lib/postgresql/*/bin/"$1" | sort -V | tail -1; } 2>/dev/null)
    [ -n "$found" ] || found=$(command -v "$1") || return 1
    echo "$found"
}

# The server never runs as root, and must not hold our locks open.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && runuser -u postgres -- env PGPASSWORD= "$@") </dev/null {PG_GATE}>&- {PG_USERS}>&-
    else
        (cd / && "$@") </dev/null {PG_GATE}>&- {PG_USERS}>&-
    fi
}

use_postgres() {
    if [ -n "${PGHOST:-}" ]; then
        [ "${PGUSER:-}" != postgres ] || die "Odoo refuses the database user postgres; name another with PGUSER"
        psql -d postgres -Atqc 'select 1' >/dev/null || die "the PostgreSQL of PGHOST=$PGHOST does not answer"
        return
    fi
    mkdir -p "$PG_HOME" && chmod 755 "$PG_HOME"
    exec {PG_GATE}>"$PG_HOME/gate.lock" {PG_USERS}>"$PG_HOME/users.lock"
    flock "$PG_GATE"
    flock -s "$PG_USERS"
    [ -f "$PG_DATA/PG_VERSION" ] && [ -f "$PG_HOME/ready" ] || create_cluster
    PG_OWN=1
    if ! pg_running; then
        rm -f "$PG_HOME/keep"
        need_port "$PG_PORT" BRIDGE_PG_PORT
        start_cluster
    fi
    [ "${BRIDGE_KEEP_PG:-0}" = 0 ] || touch "$PG_HOME/keep"
    # Another ./run may have started it, with another BRIDGE_PG_PORT.
    PGPORT=$(sed -n 4p "$PG_DATA/postmaster.pid")
    flock -u "$PG_GATE"
    export PGHOST=127.0.0.1 PGPORT PGUSER=bridge PGPASSWORD
    PGPASSWORD=$(cat "$PG_HOME/password")
}

pg_running() { as_server "$(pg_bin pg_ctl)" status -D "$PG_DATA" >/dev/null 2>&1; }

create_cluster() {
    step "PostgreSQL: a cluster of the project's own in $PG_HOME"
    local secret
    secret=$(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')
    rm -rf "$PG_DATA" && mkdir -m 700 "$PG_DATA"
    (umask 077 && printf '%s\n' "$secret" >"$PG_HOME/password" && cp "$PG_HOME/password" "$PG_HOME/admin.pw")
    [ "$(id -u)" != 0 ] || chown postgres: "$PG_DATA" "$PG_HOME/admin.pw"
    logged initdb as_server "$(pg_bin initdb)" -D "$PG_DATA" -U bridge_admin --pwfile="$PG_HOME/admin.pw" \
        --auth=scram-sha-256 -E UTF8 --locale=C.UTF-8 || die "initdb failed"
    rm -f "$PG_HOME/admin.pw"
    # Tuned for a development machine. Durability stays as in production:
    # benchmarks and crash tests rely on it.
    cat >>"$PG_DATA/postgresql.conf" <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 512MB
random_page_cost = 1.1
jit = off
fsync = on
synchronous_commit = on
CONF
    need_port "$PG_PORT" BRIDGE_PG_PORT
    start_cluster
    # Odoo refuses superusers named postgres; it needs no more than CREATEDB.
    PGPASSWORD=$secret psql -q -h 127.0.0.1 -p "$PG_PORT" -U bridge_admin -d postgres \
        -c "create role bridge login createdb password '$secret'" || die "could not create the database user"
    touch "$PG_HOME/ready"
}

start_cluster() {
    logged pg-start as_server "$(pg_bin pg_ctl)" start -D "$PG_DATA" -w -t 60 -s \
        -l "$PG_DATA/server.log" -o "-p $PG_PORT" ||
        { tail -5 "$PG_DATA/server.log" >&2; die "PostgreSQL does not start"; }
}

# Called when a run ends: stops the server when nobody else uses it.
leave_postgres() {
    [ -n "$PG_OWN" ] || return 0
    PG_OWN=
    flock "$PG_GATE"
    flock -u "$PG_USERS"
    if flock -n "$PG_USERS" && [ ! -e "$PG_HOME/keep" ] && pg_running; then stop_cluster; fi
    flock -u "$PG_USERS"
    flock -u "$PG_GATE"
}
stop_cluster() { as_server "$(pg_bin pg_ctl)" stop -D "$PG_DATA" -m fast -w -s; }

# ./run stop: ends a server that BRIDGE_KEEP_PG=1 left running.
stop_postgres() {
    [ -d "$PG_HOME" ] || return 0
    exec {PG_GATE}>"$PG_HOME/gate.lock" {PG_USERS}>"$PG_HOME/users.lock"
    rm -f "$PG_HOME/keep"
    flock "$PG_GATE"
    flock -n "$PG_USERS" || die "another ./run is using the database; it will stop it at its end"
    ! pg_running || stop_cluster
}

drop_db() { # drop_db NAME...: with its filestore
    local db
    for db; do
        dropdb --if-exists --force "$db" 2>/dev/null || true
        rm -rf "${RUNTIME:?}/data/filestore/$db"
    done
}
copy_db() { # copy_db FROM TO
    createdb -T "$1" "$2" || return
    rm -rf "${RUNTIME:?}/data/filestore/$2"
    [ ! -d "$RUNTIME/data/filestore/$1" ] || cp -al "$RUNTIME/data/filestore/$1" "$RUNTIME/data/filestore/$2"
}
