# Sourced by ./run: an Odoo 19, the user's (ODOO_HOME) or Debian's, and its config.
#
# Sets ODOO_BIN (start script), ODOO_LIB (folder to import odoo from), ODOO_ADDONS
# (folders for addons_path besides odoo/addons, may be empty).

ODOO_CONF=$RUNTIME/etc/odoo.conf
HTTP_PORT=${BRIDGE_HTTP_PORT:-18069}
GEVENT_PORT=${BRIDGE_GEVENT_PORT:-18072}

setup_odoo() {
    if [ -n "${ODOO_HOME:-}" ]; then
        find_odoo "$ODOO_HOME" || die "ODOO_HOME=$ODOO_HOME holds neither odoo-bin nor bin/odoo with an odoo package"
    else
        unpack_odoo
        find_odoo "$RUNTIME/odoo"
    fi
    ODOO_VERSION=$(PYTHONPATH=$ODOO_LIB "$VENV/bin/python" -c 'import odoo.release as r; print(r.version)')
    [ "${ODOO_VERSION%%.*}" = 19 ] || die "Odoo 19 is needed, $ODOO_LIB has ${ODOO_VERSION:-none}"
    export PYTHONPATH=$ODOO_LIB
}

# find_odoo FOLDER: a git checkout (odoo-bin), or a package's root or prefix.
find_odoo() {
    local prefix
    ODOO_ADDONS=
    if [ -f "$1/odoo-bin" ]; then
        ODOO_BIN=$1/odoo-bin ODOO_LIB=$1
        [ ! -d "$1/addons" ] || ODOO_ADDONS=$1/addons
        return
    fi
    for prefix in "$1/usr" "$1"; do
        ODOO_BIN=$prefix/bin/odoo
        for ODOO_LIB in "$prefix"/lib/python3/dist-packages "$prefix"/lib/python3*/site-packages; do
            [ -f "$ODOO_BIN" ] && [ -f "$ODOO_LIB/odoo/release.py" ] && return
        done
    done
    return 1
}

# Debian's package odoo-19 lives in sid and depends on sid's Python, so it is not
# installed: it is fetched with package lists of our own (the machine's apt
# configuration stays as it is) and unpacked into .runtime. The fonts and scripts
# it links to come along; relative links resolve inside the same folder.
# fonts-font-awesome must be bookworm's: 7.x in sid has other file names.
ODOO_DEBS=(odoo-19/sid fonts-montserrat/sid fonts-font-awesome/bookworm libjs-jquery/bookworm
    libjs-jquery-form/bookworm libjs-underscore/bookworm fonts-inconsolata/bookworm
    fonts-roboto-unhinted/bookworm fonts-ocr-b/bookworm)

unpack_odoo() {
    local key="1 $(uname -m) ${ODOO_DEBS[*]}"
    stamped odoo "$key" && return
    local apt=$RUNTIME/apt mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg deb options
    local other="Use an Odoo 19 you already have: ODOO_HOME=/path/to/odoo ./run …
(a shallow clone of Odoo's branch 19.0 will do)."
    command -v apt-get >/dev/null && [ -f "$keyring" ] ||
        die "this machine has no Debian apt with its keyring, so Debian's odoo-19 cannot be fetched. $other"
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || { # a fresh machine has sources but no lists yet
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | head -1)
    }
    [ -n "$mirror" ] || die "apt knows no Debian mirror on this machine. $other"

    step "Odoo 19: package lists of its own"
    rm -rf "$apt" "$RUNTIME/odoo" "$RUNTIME/odoo.part"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs"
    printf "deb [signed-by=$keyring] $mirror %s main\n" bookworm sid >"$apt/sources.list"
    # The folder may be closed to apt's sandbox user (a checkout below /root).
    options=(-q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)")
    logged odoo-lists apt-get "${options[@]}" update ||
        die "the package lists of Debian sid could not be read. $other"
    step "Odoo 19: download (130 MB)"
    (cd "$apt/debs" && logged odoo-download apt-get "${options[@]}" download "${ODOO_DEBS[@]}") ||
        die "Debian's odoo-19 could not be downloaded. $other"
    step "Odoo 19: unpack"
    for deb in "$apt"/debs/*.deb; do
        dpkg -x "$deb" "$RUNTIME/odoo.part" || die "cannot unpack ${deb##*/}"
    done
    # Left out by Debian (camera blur); the missing file is an ERROR when assets are built.
    local lib=$RUNTIME/odoo.part/usr/lib/python3/dist-packages/odoo/addons/mail/static/lib/selfie_segmentation
    mkdir -p "$lib" && [ -e "$lib/selfie_segmentation.js" ] || : >"$lib/selfie_segmentation.js"
    mv "$RUNTIME/odoo.part" "$RUNTIME/odoo" && rm -rf "$apt"
    stamp odoo "$key"
}

# The Debian archive this machine uses, whatever its address.
debian_mirror() {
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/^Debian|Debian|//p' | head -1
}

# Written at every start: ports and database may have changed.
write_config() {
    local addons=$ROOT,$QUEUE_JOB/odoo/addons${ODOO_ADDONS:+,$ODOO_ADDONS}
    mkdir -p "$RUNTIME/data"
    (
        umask 077 # the database password stands in it
        cat >"$ODOO_CONF.$$" <<CONF
[options]
addons_path = $addons
data_dir = $RUNTIME/data
http_interface = 127.0.0.1
http_port = $HTTP_PORT
gevent_port = $GEVENT_PORT
screenshots = $RUNTIME/screenshots
db_host = ${PGHOST:-False}
db_port = ${PGPORT:-False}
db_user = ${PGUSER:-False}
db_password = ${PGPASSWORD:-False}
db_maxconn = 64
without_demo = True
CONF
    )
    mv "$ODOO_CONF.$$" "$ODOO_CONF"
}

# odoo ARGS: the package's start script, not "python -m odoo": in prefork mode the
# websocket child starts itself again from argv[0].
odoo() { "$VENV/bin/python" "$ODOO_BIN" "$@"; }
