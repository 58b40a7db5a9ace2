"""The exported ONNX files compute what the original weights say, by an independent forward pass."""

import sys

import tap

import catalogue
import check_encoder
import make_models

STORE = catalogue.MODELS_DIR / "store"


def measured():
    packages = make_models.Packages(tap.cache_folder() / "downloads", catalogue.load()["packages"])
    return dict(check_encoder.differences(STORE, packages))


def vectors_and_scores_equal_the_independent_forward_pass():
    found = measured()
    for what, difference in found.items():
        print(f"# {what}: {difference:.1e}")
    assert len(found) == 12
    assert max(found.values()) <= check_encoder.LARGEST_DIFFERENCE


if __name__ == "__main__":
    sys.exit(tap.run([vectors_and_scores_equal_the_independent_forward_pass]))
