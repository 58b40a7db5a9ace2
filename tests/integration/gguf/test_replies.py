#!/usr/bin/env python3
"""What replies, metrics and /proc tell of a generator is so. Prints TAP.

    test_replies.py BUILD/bin PROJECT_ROOT
"""

import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

BIN, ROOT = sys.argv[1], Path(sys.argv[2])
sys.path.insert(0, str(ROOT / "tests" / "kit"))
import v2                                           # noqa: E402
from daemon import Daemon, Skipped, must, run_tests # noqa: E402

MODEL, REAL = "tiny-llama", "smollm2-135m-instruct"
FILE = ROOT / "fixtures/models/gguf/tiny-llama.gguf"
SMOL = ROOT / "models/store" / REAL / f"{REAL}.gguf"
GENERATE, CHAT = 2, 3
EXACT, NO_CACHE = 32, 128
USED = 1
GREEDY = {**v2.SAMPLING, "temperature": 0.0, "repetition_penalty": 1.0, "model_id": MODEL,
          "task": GENERATE, "max_tokens": 8}
LONG = "The small fox lived under the old stone bridge and counted the boats. "


def ask(server, **values):
    answer = server.infer(**{**GREEDY, **values})
    must(answer["code"] == 0, answer["error"])
    return answer


def a_daemon(sections="", models="fixtures/models/gguf", names=(MODEL,)):
    return Daemon(BIN, models, list(names), sections=sections, log_level="error")


def a_fingerprint_names_model_engine_processor_grid_and_seed():
    with a_daemon() as server:
        def fingerprint(**values):
            told = ask(server, texts=[{"text": "fox"}], **values)["fingerprint"]
            return dict(part.split("=", 1) for part in told.split())
        one, same, other = fingerprint(seed=7), fingerprint(seed=7), fingerprint(seed=8)
        exact = fingerprint(seed=7, flags=EXACT)
    must(one == same, f"{one} and {same}")
    must(hashlib.sha256(FILE.read_bytes()).hexdigest().startswith(one["model"]) and len(one["model"]) >= 16,
         f"model={one['model']} is not the beginning of the file's digest")
    must(one["engine"].startswith("llama.cpp-") and one["cpu"], f"{one}")
    must((one["seed"], other["seed"]) == ("7", "8"), f"{one} {other}")
    must(exact["grid"].startswith("exact:") and one["grid"].startswith("shared:"), f"{one} {exact}")


def metrics_are_the_sums_of_what_replies_tell():
    sections = f"[model {MODEL}]\ncontext_tokens = 256\nsequences = 1\ncache_sequences = 1\ncache_mb = 0\n"
    with a_daemon(sections) as server:
        told = [ask(server, texts=[{"text": f"{n} " * 40}], flags=flags)
                for n, flags in ((1, 0), (1, 0), (2, 0), (3, 0), (3, NO_CACHE), (3, EXACT))]
        metrics = server.ask("metrics_request", "metrics_response")
    counted = {c["name"]: c["value"] for c in metrics["counters"]}
    using = [a for a in told if a["cache"] == USED]
    must(len(using) == 4, f"{[a['cache'] for a in told]}")
    wanted = {"prefix_hit_tokens_total": sum(a["cached_tokens"] for a in using),
              "prefix_miss_tokens_total": sum(a["prompt_tokens"] - a["cached_tokens"] for a in using),
              "prefix_evicted_tokens_total": sum(a["evicted_tokens"] for a in told)}
    must(all(wanted.values()), f"nothing was found, missed or evicted: {wanted}")
    must({name: counted[name] for name in wanted} == wanted, f"{counted} and {wanted}")


def what_left_of_others_is_counted_and_not_told():
    """One idle prefix is kept: each new one pushes out the one before it."""
    sections = f"[model {MODEL}]\ncontext_tokens = 256\nsequences = 1\ncache_sequences = 1\ncache_mb = 0\n"
    with a_daemon(sections) as server:
        told = [ask(server, texts=[{"text": f"{n} " * 40}], cache_domain=domain)["evicted_tokens"]
                for n, domain in ((1, 1), (2, 2), (3, 2), (4, 1))]
        metrics = server.ask("metrics_request", "metrics_response")
    counted = {c["name"]: c["value"] for c in metrics["counters"]}["prefix_evicted_tokens_total"]
    must(told[0] == told[1] == told[3] == 0, f"{told}: tokens of another domain are told")
    must(told[2] > 40, f"{told}: its own are not told")
    must(counted > 2.5 * told[2], f"{counted} counted, three prefixes of about {told[2]} tokens left")


def the_next_turn_of_a_chat_computes_its_own_words_alone():
    first = [{"role": 1, "content": LONG * 3}]
    with a_daemon() as server:
        said = ask(server, task=CHAT, texts=[], messages=first, max_tokens=20)
        turn = [*first, {"role": 2, "content": said["results"][0]["text"]}, {"role": 1, "content": "And then?"}]
        again = ask(server, task=CHAT, texts=[], messages=turn, max_tokens=20)
    must(again["cached_tokens"] >= said["prompt_tokens"], f"{again['cached_tokens']} were there, the first "
         f"turn had {said['prompt_tokens']}")


def mapping_of(pid):
    """(resident, share) of the file's pages, in bytes."""
    resident = share = 0
    inside = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            inside = line.endswith(".gguf")
        elif inside and line.startswith(("Rss:", "Pss:")):
            amount = 1024 * int(line.split()[1])
            resident, share = (resident + amount, share) if line[0] == "R" else (resident, share + amount)
    return resident, share


def a_saved_prefix_is_found_though_all_cells_are_taken():
    """One prompt fills the cells of a sequence; the one before it was saved beside them."""
    with a_daemon(f"[model {MODEL}]\nsequences = 1\ncontext_tokens = 512\nexact_sequences = 0\n"
                  "cache_sequences = 1\ncache_mb = 64\n") as server:
        def prompt(first):
            return [{"tokens": [first] + [5 + (first * i) % 200 for i in range(1, 480)]}]
        for first in (11, 12, 13):
            must(ask(server, texts=prompt(first))["cached_tokens"] == 0, "none of them was asked before")
        again = ask(server, texts=prompt(11))
        must(again["cached_tokens"] > 400, f"{again['cached_tokens']} of 480 tokens were found")


def a_generator_tells_its_options():
    given = {"sequences": "3", "kv_tokens": "1024", "exact_sequences": "2",
             "cache_sequences": "5", "cache_mb": "7", "inter_token_ms": "50", "drafts": "false", "mmap": "true"}
    lines = "".join(f"{key} = {value}\n" for key, value in given.items())
    for sections, wanted in (("", {"sequences": "4", "kv_type": "f16", "drafts": "true", "inter_token_ms": "100"}),
                             (f"[model {MODEL}]\n{lines}context_tokens = 512\n", given)):
        with a_daemon(sections) as server:
            connection = server.connect()
            connection.send("model_request", request_id=1, model_id=MODEL)
            told = connection.receive()[1]
            facts = {fact["key"]: fact["value"] for fact in told["facts"]}
            must(facts.get("prefixes") == "shared", f"{facts}")
            must(wanted.items() <= facts.items(), f"{facts}, wanted {wanted}")
            connection.close()


def options_that_the_model_cannot_have_are_refused_with_what_would_be_right():
    wrong = {"pooling = mean": ("option pooling has no meaning for the task generate", "known are context_tokens"),
             "max_tokens = 8": ("has no option max_tokens", "known are context_tokens"),
             "kv_type = q8_0": ("a head of this model has keys of 16", "use kv_type = f16")}
    for line, words in wrong.items():
        with a_daemon(f"[model {MODEL}]\n{line}\n", names=()) as server:
            told = server.ask("load_request", "load_response", request_id=1, model_id=MODEL)
            must(v2.ERRORS.get(told["code"]) == "config", f"{line}: {told['code']} {told['error']}")
            must(all(w in told["error"] for w in words), f"{line}: {told['error']}")


def two_workers_that_map_one_file_share_its_pages():
    if os.geteuid() != 0:   # nobody else may look into a process that is not dumpable
        raise Skipped("only root can see what a worker maps")
    with tempfile.TemporaryDirectory() as folder:
        digest = hashlib.sha256(SMOL.read_bytes()).hexdigest()
        for name in ("one", "two", "read"):
            place = Path(folder) / name
            place.mkdir()
            if name == "one":
                (place / "m.gguf").write_bytes(SMOL.read_bytes())
            else:
                (place / "m.gguf").hardlink_to(Path(folder) / "one" / "m.gguf")
            # other options, or one worker would serve both
            options = {"mmap": name != "read", "context_tokens": 256, "sequences": 1 + (name == "two")}
            (place / "manifest.json").write_text(json.dumps({
                "model_id": name, "name": name, "version": "1.0.0", "license": "Apache-2.0",
                "capabilities": ["text_generation"], "architecture": "gguf", "options": options,
                "files": [{"role": "model", "path": "m.gguf", "size_bytes": SMOL.stat().st_size,
                           "sha256": digest}]}))
        with a_daemon(models=folder, names=("one", "two", "read")) as server:
            for name in ("one", "two", "read"):
                ask(server, model_id=name, texts=[{"text": "fox"}])
            seen = {name: mapping_of(server.model(name)["worker_pid"]) for name in ("one", "two", "read")}
    print(f"# resident and share of the file's pages, bytes: {seen}")
    must(seen["read"] == (0, 0), "a model that is read stays mapped")
    must(0 < seen["one"][0] <= SMOL.stat().st_size + (1 << 20), f"{seen['one'][0]}")
    for name in ("one", "two"):
        resident, share = seen[name]
        must(share < 0.6 * resident, f"{name}: {share} of {resident} bytes are its own")


if __name__ == "__main__":
    sys.exit(run_tests([
        a_fingerprint_names_model_engine_processor_grid_and_seed,
        metrics_are_the_sums_of_what_replies_tell,
        what_left_of_others_is_counted_and_not_told,
        the_next_turn_of_a_chat_computes_its_own_words_alone,
        a_saved_prefix_is_found_though_all_cells_are_taken,
        a_generator_tells_its_options,
        options_that_the_model_cannot_have_are_refused_with_what_would_be_right,
        two_workers_that_map_one_file_share_its_pages,
    ]))
