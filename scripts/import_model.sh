#!/usr/bin/env bash
# import_model.sh — puts a model of your own into a models folder, with its manifest.
#
# usage: scripts/import_model.sh [--models DIR] [--name NAME] [--task TASK] SOURCE
#
# SOURCE is a folder as exporters leave it (an .onnx file, tokenizer.json, config.json, 1_Pooling/) or
# a .gguf file, which generates text or, with --task embedding, makes vectors. DIR is models/store of
# this tree. `scripts/import_model.sh --help` names all options.
set -euo pipefail
# shellcheck source=scripts/progress.sh
. "$(dirname "${BASH_SOURCE[0]}")/progress.sh"
python=$TOP/.deps/venv/bin/python
[ -x "$python" ] || fail "$python is missing" "run scripts/setup.sh"
PYTHONDONTWRITEBYTECODE=1 exec "$python" "$TOP/models/make/import_model.py" "$@"
