#!/usr/bin/env bash
# Installs Tailor's environment on a machine of a cluster: Ubuntu 24.04 or 22.04, or Debian 12, on x86-64.
#
#   [LOCK=locks/gpu.txt] [VENV=~/venv] bash recipes/clusters/install.sh [FURTHER_LOCK...]
#
# The environment is the lock, as `make install` makes it; further locks add to it. Python 3.11 is the system's where
# it has one, otherwise one that uv downloads. Run again, it does only what is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${LOCK:=locks/gpu.txt}" "${VENV:=$HOME/venv}"

as_root=$([ "$(id -u)" = 0 ] || echo sudo)
apt() {  # a machine that has just started may be updating itself, and asks which services to restart
  $as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a apt-get -o DPkg::Lock::Timeout=900 -qq -y "$@"
}
apt update
# A compiler and Python's headers: Triton and torch.compile build their kernels on the machine. wget: KubeRay's probes.
apt install --no-install-recommends ca-certificates g++ make python3-dev python3-venv wget

uv_home=$HOME/.local/share/tailor-uv
uv=$uv_home/bin/uv
python3 -m venv "$uv_home"
"$uv_home/bin/pip" install --quiet "$(grep '^uv==' "$LOCK")"
python=$("$uv" python find 3.11 2>/dev/null || { "$uv" python install 3.11 >&2 && "$uv" python find 3.11; })

make --silent install PYTHON="$python" VENV="$VENV" LOCK="$LOCK"
for further in "$@"; do
  "$uv" pip install --quiet --python "$VENV/bin/python" --no-deps -r "$further"
done
"$VENV/bin/tailor" --help >/dev/null
echo "Tailor is installed in $VENV: $("$VENV/bin/python" --version), $LOCK $*"
