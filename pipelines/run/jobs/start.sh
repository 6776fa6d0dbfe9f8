#!/bin/sh
# Runs a submitted run's driver in the Python of this node's Ray. A job's own `python` is whatever the shell finds first,
# which is seldom the environment that Ray and Tailor are installed in. Ray's node process knows: it is an ancestor of
# this one, and its command line says how workers are started.
pid=$$
python=
while [ -z "$python" ] && [ "${pid:-0}" -gt 1 ] && [ -r "/proc/$pid/cmdline" ]; do
  python=$(tr '\0' '\n' < "/proc/$pid/cmdline" | sed -n 's/^--python_worker_command=\([^ ]*\).*/\1/p')
  pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
done
python=${python:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "error: this node's Ray runs in $python, $("$python" --version 2>&1): Tailor needs Python 3.11. Nothing was started." >&2
  exit 2
fi
if ! "$python" -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("pipelines.run.jobs.driver"))' 2>/dev/null; then
  echo "error: Tailor is not installed in the environment of this node's Ray ($python), or is older than where the run was submitted. Install it there (make install). Nothing was started." >&2
  exit 2
fi
exec "$python" -m pipelines.run.jobs.driver "$@"
