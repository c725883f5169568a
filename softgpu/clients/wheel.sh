#!/usr/bin/env bash
# wheel.sh PYTHON FOLDER: a script by `python -m softgpu run`, and tests by the pytest plugin, of which one must fail.
set -euo pipefail
python="$1"
here="$2"
unset LD_LIBRARY_PATH SOFTGPU_CHECK
"$python" -m softgpu run "$here/saxpy_bindings.py"
code=0
output="$("$python" -m softgpu run --device sm_80 -m pytest -q -p no:cacheprovider "$here/test_wheel.py")" || code=$?
echo "$output"
[ "$code" -eq 1 ]
grep -q "1 failed, 2 passed" <<<"$output"
grep -q "error out_of_bounds in number" <<<"$output"
