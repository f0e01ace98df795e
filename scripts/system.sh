# Sourced by ./run: Debian packages of the machine.

# need_packages base|all: base is enough for linters and pure tests.
need_packages() {
    local wanted=(ca-certificates python3 python3-venv) missing=()
    command -v dpkg-query >/dev/null || { need_commands "$1"; return; }
    if [ "$1" = all ]; then
        # libmagic1: attachments; fonts-noto-cjk: Japanese in screenshots and papers; wkhtmltopdf: Odoo's PDFs;
        # poppler-utils: pictures of them.
        wanted+=(chromium fonts-noto-cjk libmagic1 wkhtmltopdf poppler-utils)
        if [ -n "${PGHOST:-}" ]; then wanted+=(postgresql-client); else wanted+=(postgresql); fi
    fi
    local package
    for package in "${wanted[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0

    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null || ! { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
            die "these Debian packages are missing, and this user may not install them. As root, run:

    apt-get install --no-install-recommends ${missing[*]}

then start ./run again."
        fi
        as_root=(sudo)
    fi
    step "Debian packages: ${missing[*]}"
    no_main_cluster "${as_root[@]}"
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends)
    # The lists of a fresh machine are empty, those of an old one outdated.
    "${install[@]}" "${missing[@]}" >"$LOGS/apt.log" 2>&1 </dev/null || {
        step "refreshing the package lists"
        logged apt-update "${as_root[@]}" apt-get -q update &&
            logged apt "${install[@]}" "${missing[@]}"
    } || { allow_main_cluster "${as_root[@]}"; die "apt-get could not install: ${missing[*]}"; }
    allow_main_cluster "${as_root[@]}"
}

# Installing postgresql normally creates and starts a cluster "main". Nobody
# asked for one here, so its creation is switched off for as long as apt runs.
DROPIN=/etc/postgresql-common/createcluster.d/pos-erp-bridge.conf
no_main_cluster() {
    "$@" mkdir -p "${DROPIN%/*}"
    echo 'create_main_cluster = false' | "$@" tee "$DROPIN" >/dev/null
}
allow_main_cluster() { "$@" rm -f "$DROPIN"; }

# Not a Debian: say what is missing by the command that is looked for.
need_commands() {
    local missing=()
    command -v python3 >/dev/null || missing+=(python3)
    if [ "$1" = all ]; then
        command -v psql >/dev/null || missing+=(psql)
        [ -n "${PGHOST:-}" ] || pg_bin initdb >/dev/null || missing+=(initdb)
        command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
        command -v wkhtmltopdf >/dev/null || missing+=(wkhtmltopdf)
        command -v pdftoppm >/dev/null || missing+=(pdftoppm)
    fi
    [ "${#missing[@]}" = 0 ] || die "please install what provides: ${missing[*]}
(on Debian: apt-get install python3 python3-venv postgresql chromium fonts-noto-cjk libmagic1 wkhtmltopdf poppler-utils)"
}
