# Makes .venv, which all scripts share. Source it, then call `environment`, or `environment dev` for the tools as well.
# It installs only when pyproject.toml or scripts/constraints.txt has changed since it last did.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=$root/.venv/bin/python

# Print the name of a Python that is new enough.
new_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "Python 3.11 or newer is needed, and none of python3, python3.14 ... python3.11, python is one." >&2
    return 1
}

# Run a command in a process group of its own, so that a signal to this script ends all that the command has started.
guarded() {
    trap 'end_group 130' INT
    trap 'end_group 143' TERM
    trap 'end_group 129' HUP
    set -m
    "$@" </dev/null &
    set +m
    wait $!
    trap - INT TERM HUP
}

end_group() {
    trap '' INT TERM HUP
    kill -TERM -- "-$!" 2>/dev/null || true
    wait $! 2>/dev/null || true
    kill -KILL -- "-$!" 2>/dev/null || true
    exit "$1"
}

install_into() {
    local venv_python=$1
    shift
    guarded "$venv_python" -m pip install --quiet --quiet --disable-pip-version-check "$@"
}

environment() {
    local kind=${1:-demo} wanted base constraints=$root/scripts/constraints.txt
    local what=(--editable "${root}[testing]")
    # The path is part of it because an editable install knows where the checkout is.
    wanted="$root $(cat "$root/pyproject.toml" "$constraints" | cksum)"
    if [[ $(cat "$root/.venv/.installed-$kind" 2>/dev/null) == "$wanted" ]]; then
        return
    fi
    # Without pip it is none, or one whose making was broken off.
    if ! "$python" -m pip --version >/dev/null 2>&1; then
        echo "Making .venv ..."
        base=$(new_python)
        guarded "$base" -m venv --clear "$root/.venv"
    fi
    if [[ $kind == dev ]]; then
        what+=(--group "$root/pyproject.toml:dev")
    fi
    echo "Installing into .venv, which takes a minute or two ..."
    install_into "$python" --upgrade --constraint "$constraints" pip
    install_into "$python" --constraint "$constraints" --build-constraint "$constraints" "${what[@]}"
    # Written last, so that an install that was broken off is done again; dev has all that the demo needs.
    echo "$wanted" >"$root/.venv/.installed-$kind"
    echo "$wanted" >"$root/.venv/.installed-demo"
}
