# Sourced by ./run: the template database. Installing Odoo's modules takes a
# minute; copying a database takes a second. It holds no module of this project.

TEMPLATE_MODULES=account,stock,stock_account,sale_management,sale_stock,sale_loyalty,point_of_sale,pos_sale,pos_loyalty,l10n_jp
TEMPLATE_DB=

setup_template() {
    TEMPLATE_DB=bridge_template_$(printf '%s' "1 $ODOO_VERSION $ODOO_LIB $TEMPLATE_MODULES" | sha256sum | cut -c1-8)
    template_ready && return
    setup_lock
    if ! template_ready; then
        step "template database (once, about a minute)"
        drop_db "$TEMPLATE_DB" "$TEMPLATE_DB.part"
        createdb "$TEMPLATE_DB.part" || die "cannot create a database"
        # ODOO_RC may be the user's; -c always is ours.
        logged template odoo -c "$ODOO_CONF" -d "$TEMPLATE_DB.part" -i "$TEMPLATE_MODULES" \
            --stop-after-init --no-http --max-cron-threads=0 || die "the template database could not be made"
        mv "$RUNTIME/data/filestore/$TEMPLATE_DB.part" "$RUNTIME/data/filestore/$TEMPLATE_DB" ||
            die "the template database has no files"
        psql -qd postgres -c "alter database \"$TEMPLATE_DB.part\" rename to $TEMPLATE_DB" || die "cannot rename the template"
    fi
    setup_unlock
}

# The database server outlives .runtime: deleted to start over, it takes the files of the template with it, and every
# copy would lack them.
template_ready() { [ -d "$RUNTIME/data/filestore/$TEMPLATE_DB" ] && db_exists "$TEMPLATE_DB"; }
db_exists() { [ "$(psql -Atqd postgres -c "select 1 from pg_database where datname = '$1'")" = 1 ]; }
