#!/usr/bin/env bash
# quantize.sh — makes an int8 model of an fp32 one, and says how far the two agree.
#
# usage: scripts/quantize.sh [--models DIR] [--recipe NAME] MODEL    writes DIR/MODEL-int8/
#        scripts/quantize.sh [--models DIR] --default MODEL   MODEL is served in int8 from now on
#        scripts/quantize.sh [--models DIR] --revert MODEL    and in fp32 again
#
# DIR is models/store of this tree. MODEL is an ONNX model that classifies or embeds. The agreement is measured on
# committed texts and written into the manifest; `hearth models show MODEL-int8` tells it. --default is
# refused below a mean cosine of 0.999, a minimum of 0.99 or 99 % of labels alike; the fp32 model is
# then there as MODEL-fp32. models/make/quantize.py tells how it is done, and the recipes.
set -euo pipefail
# shellcheck source=scripts/progress.sh
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"

case ${1:-} in
-h | --help | '') sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 0 ;;
esac
python=$TOP/.deps/venv/bin/python
[ -x "$python" ] || fail "$python is missing" "run scripts/setup.sh"
PYTHONDONTWRITEBYTECODE=1 exec "$python" "$TOP/models/make/quantize.py" "$@"
