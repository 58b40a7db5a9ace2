#!/usr/bin/env python3
"""What fuzz/run.py promises about its records: when it has run enough, and when a record counts."""

import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/kit"))
import run                      # noqa: E402
from daemon import must, run_tests  # noqa: E402

GOOD = {"commit": "0" * 9, "rooms_digest": "d", "executions": 10, "edges": 5, "lines_percent": 80.0,
        "seconds": 600, "last_new_edge_at_seconds": 300, "findings": []}


def a_good_record_has_no_complaint():
    must(run.complaints(GOOD, "d") == [], f"{run.complaints(GOOD, 'd')}")


def every_shortcoming_of_a_record_is_named():
    changes = [({"rooms_digest": "e"}, "changed"), ({"findings": ["crash-1"]}, "1 findings"),
               ({"seconds": 599}, "599 s only"), ({"last_new_edge_at_seconds": 301}, "299 s"),
               ({"lines_percent": 79.9}, "79.9 %")]
    for change, words in changes:
        found = run.complaints({**GOOD, **change}, "d")
        must(any(words in line for line in found), f"{change}: {found}")
    must(run.complaints(None, "d") == ["never ran"], "a missing record")


def a_run_goes_on_until_five_minutes_have_brought_no_new_edge():
    watch = run.Watch(600, 1800)
    watch.read("#2\tINITED cov: 100 ft: 200 corp: 1/1b exec/s: 0 rss: 30Mb", 1)
    watch.read("#900\tNEW    cov: 101 ft: 300 corp: 2/2b lim: 4 exec/s: 9 rss: 30Mb", 400)
    watch.read("#999\tNEW    cov: 101 ft: 301 corp: 3/2b lim: 4 exec/s: 9 rss: 30Mb", 590)
    must(watch.last_new == 400 and watch.edges == 101, "a feature without an edge counted as new")
    must(not watch.is_enough(699) and watch.is_enough(700), "it did not wait five minutes")
    must(not run.Watch(600, 1800).is_enough(599), "it ended before the least time")
    watch.read("#9999\tNEW    cov: 102 ft: 400 corp: 3/2b lim: 4 exec/s: 9 rss: 30Mb", 1799)
    must(not watch.is_enough(1799.5) and watch.is_enough(1800), "the most time does not end it")
    watch.read("stat::number_of_executed_units: 123456", 1801)
    must(watch.executions == 123456, "executions are not read")


def a_change_of_the_room_or_of_the_target_changes_the_digest_and_another_room_does_not():
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        files = ["fuzz/fuzz_thing.c", "src/a/thing/hearth_thing.h", "src/a/thing/thing.c",
                 "src/a/thing/table.def", "src/a/other/hearth_other.h"]
        for path in files:
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_text("one")
        (top / "src/a/thing/CMakeLists.txt").write_text("hearth_room(thing SOURCES thing.c)")
        before = run.digest_of("thing", ["thing"], top)
        (top / files[-1]).write_text("two")
        must(run.digest_of("thing", ["thing"], top) == before, "another room changed it")
        for path in files[:-1]:
            (top / path).write_text("two")
            must(run.digest_of("thing", ["thing"], top) != before, f"{path} did not change it")
            (top / path).write_text("one")
        must(run.digest_of("thing", ["thing"], top) == before, "the digest depends on more")


def every_target_says_which_files_it_is_about_and_has_a_bounded_corpus():
    targets = run.rooms_of_targets()
    must(len(targets) >= 9 and set(targets) <= set(run.ABOUT), f"{sorted(targets)}")
    sources = {path.stem[5:] for path in (run.TOP / "fuzz").glob("fuzz_*.c")}
    must(sources == set(targets), f"sources without a target: {sources ^ set(targets)}")
    for name in targets:
        for path in run.ABOUT[name][0]:
            must((run.TOP / path).exists(), f"{name}: no file {path}")
        size = sum(p.stat().st_size for p in (run.TOP / "fuzz/corpus" / name).iterdir())
        must(0 < size <= run.CORPUS_BYTES, f"the corpus of {name} has {size} bytes")


def every_decoder_of_a_face_is_called_by_a_target():
    """What reads bytes from elsewhere is called decode, parse or inspect."""
    headers = "\n".join(path.read_text() for path in (run.TOP / "src").rglob("*.h"))
    decoders = set(re.findall(r"\bhearth_\w+_(?:decode|parse|inspect)\(", headers))
    targets = "\n".join(path.read_text() for path in (run.TOP / "fuzz").glob("*.[ch]"))
    must(len(decoders) >= 6, f"only {sorted(decoders)}")
    left = sorted(name for name in decoders if name not in targets)
    must(not left, f"no target calls {left}")


if __name__ == "__main__":
    sys.exit(run_tests([test for name, test in list(globals().items())
                        if callable(test) and name.startswith(("a_", "every_"))]))
