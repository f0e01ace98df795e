# Sourced by ./run: the virtual environment with pinned packages.

# The machine's own Python first; the one on the PATH may be somebody's shim.
find_python() {
    local python
    for python in ${BRIDGE_PYTHON:+"$BRIDGE_PYTHON"} /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
        "$python" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
            2>/dev/null && { command -v "$python"; return; }
    done
    return 1
}

setup_python() {
    local python key
    python=$(find_python) || die "no Python 3.11 to 3.13 with venv found; name one with BRIDGE_PYTHON=/path/to/python3"
    key="$("$python" -VV | tr '\n' ' ') $VENV $(hash_of "$ROOT/requirements.lock")"
    stamped python "$key" && return
    step "Python packages: $(grep -c == "$ROOT/requirements.lock") pinned, into .runtime/venv"
    rm -rf "$VENV"
    logged venv "$python" -m venv "$VENV" || die "could not make a virtual environment"
    logged pip "$VENV/bin/pip" install --prefer-binary -r "$ROOT/requirements.lock" ||
        die "pip could not install requirements.lock (a package built from source may need: apt-get install gcc python3-dev)"
    stamp python "$key"
}

# OCA queue_job, optional engine for the lanes. It is an addon, not a library:
# its folder is put on addons_path and it is active only when loaded by name
# (./run odoo --load=base,rpc,web,queue_job …). --no-deps: "odoo" is not on the index.
QUEUE_JOB_PIN=odoo-addon-queue_job==19.0.2.4.0.1
setup_queue_job() {
    stamped queue_job "$QUEUE_JOB_PIN" && return
    step "queue_job (optional addon)"
    rm -rf "$QUEUE_JOB"
    logged queue_job "$VENV/bin/pip" install --no-deps --target "$QUEUE_JOB" "$QUEUE_JOB_PIN" ||
        die "pip could not install $QUEUE_JOB_PIN"
    stamp queue_job "$QUEUE_JOB_PIN"
}

# Other people's programs that judge ours in tests (tests/node/package.json). node and npm are in the virtual environment.
NODE_PACKAGES=$RUNTIME/node
setup_node_packages() {
    local key
    key=$(hash_of "$ROOT"/tests/node/package*.json)
    stamped node "$key" && return
    step "receiptline and receiptio, judges of what is printed"
    rm -rf "$NODE_PACKAGES" && mkdir -p "$NODE_PACKAGES" && cp "$ROOT"/tests/node/package*.json "$NODE_PACKAGES"
    if PATH=$VENV/bin:$PATH logged npm "$VENV/bin/npm" ci --prefix "$NODE_PACKAGES" --cache "$RUNTIME/npm-cache" \
        --ignore-scripts --no-audit --no-fund --fetch-retries=1; then
        stamp node "$key"
    else
        step "npm could not install them: the tests that need them are skipped"
    fi
}
