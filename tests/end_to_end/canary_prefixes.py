#!/usr/bin/env python3
"""Sixteen clients with secrets use prefixes again and again, their own and those of others: what the
cache gives a request was computed for its own domain, and no answer holds a secret of another.
Prints TAP.

    canary_prefixes.py --bin BUILD/bin [--rounds 6] [--seed N]

A domain is a user and the cache_domain of a request. hearthd serves the user who runs it and root: as
root, the daemon and every other client are run by nobody, the rest of the clients by root.
Prompts are token ids, so that it can be told from here how long a beginning a domain has ever had:
more than that must never come from the cache.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                                   # noqa: E402
from daemon import ROOT, Daemon, Skipped, must, run_tests   # noqa: E402

MODEL = "tiny-llama"
CLIENTS, NOBODY = 16, 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
FIRST_ID, IDS = 4, 400          # ids 0 to 3 are special
SECRET_TOKENS, TAIL_TOKENS, ANSWER_TOKENS = 160, 12, 8
USED = 1                        # of the field cache
NO_CACHE = 128                  # of the field flags


class Domain:
    """What one domain has ever asked, its answers included: all that it may find in the cache."""

    def __init__(self):
        self.known, self.lock = [], threading.Lock()

    def longest(self, ids):
        with self.lock:
            return max((common(ids, other) for other in self.known), default=0)

    def learn(self, ids):
        with self.lock:
            self.known.append(ids)


def common(one, other):
    return next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))


class Client:
    def __init__(self, number, daemon, is_nobody, domains, secrets, seed):
        self.random = random.Random(seed * CLIENTS + number)
        self.number, self.secrets = number, secrets
        self.cache_domain = number % 4
        self.domain = domains[is_nobody, self.cache_domain]
        if is_nobody:                   # the daemon asks the kernel who connects
            os.seteuid(NOBODY)
        try:
            self.connection = daemon.connect()
        finally:
            os.seteuid(os.getuid())

    def ask(self, ids, flags=0):
        self.connection.send("inference_request", request_id=1, priority=1, model_id=MODEL, task=2,
                             texts=[{"tokens": ids}], flags=flags | v2.FLAGS["return_token_ids"],
                             cache_domain=self.cache_domain,
                             **{**v2.SAMPLING, "temperature": 0.0, "repetition_penalty": 1.0,
                                "max_tokens": ANSWER_TOKENS})
        kind, answer = self.connection.receive()
        must(kind == "inference_response" and answer["code"] == 0, f"{kind}: {answer}")
        return answer

    def turn(self):
        """Half of the prompts begin with its own secret, the others with somebody else's."""
        whose = self.number if self.random.random() < 0.5 else self.random.randrange(CLIENTS)
        cut = self.random.randrange(SECRET_TOKENS // 2, SECRET_TOKENS + 1)
        tail = [self.random.randrange(FIRST_ID, FIRST_ID + IDS) for _ in range(TAIL_TOKENS)]
        ids = self.secrets[whose][:cut] + tail
        # Its own domain may be asking the same at this moment: what it can hold is learned first.
        self.domain.learn(ids)
        answer = self.ask(ids)
        written = answer["results"][0]["token_ids"]
        self.domain.learn(ids + written)
        return ids, whose, answer


def bound_of(client, ids):
    """The longest beginning that its domain has asked for by now, the request itself excepted. What
    came in meanwhile is counted too: the bound is never too small."""
    with client.domain.lock:
        others = list(client.domain.known)
    others.remove(ids)                                          # the request …
    others.remove(next(o for o in others if o[:len(ids)] == ids))   # … with its answer
    return max((common(ids, other) for other in others), default=0)


def run(client, rounds, seen, problems):
    try:
        for _ in range(rounds):
            ids, whose, answer = client.turn()
            bound = bound_of(client, ids)
            seen["asked"] += 1
            seen["cache", answer["cache"]] += 1
            seen["hit"] += answer["cached_tokens"] > 0
            seen["foreign"] += whose != client.number
            if answer["cached_tokens"] > bound:
                problems.append(f"client {client.number}: {answer['cached_tokens']} tokens came "
                                f"from the cache, its domain can have {bound}")
    except Exception as problem:        # carried to the main thread
        problems.append(f"client {client.number}: {type(problem).__name__}: {problem}")


def can_be_two_users(bin_folder):
    """As root, if nobody may run what was built and read the models."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        return False
    model = ROOT / f"fixtures/models/gguf/{MODEL}.gguf"
    test = f'test -x "{bin_folder}/hearthd" && test -r "{model}"'
    return subprocess.run([*AS_NOBODY, "sh", "-c", test]).returncode == 0


class CanaryDaemon(Daemon):
    """One that nobody runs, if it can be."""

    def __init__(self, bin_folder, is_nobody):
        section = f"[model {MODEL}]\nsequences = 4\ncontext_tokens = 512\n"
        super().__init__(bin_folder, "fixtures/models/gguf", [MODEL], sections=section,
                         prefix=AS_NOBODY if is_nobody else ())
        if is_nobody:
            shutil.chown(self.home, NOBODY, NOBODY)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    lot = random.Random(options.seed)
    secrets = [[lot.randrange(FIRST_ID, FIRST_ID + IDS) for _ in range(SECRET_TOKENS)]
               for _ in range(CLIENTS)]
    has_two = can_be_two_users(options.bin)
    with CanaryDaemon(options.bin, has_two) as daemon:
        domains = {(user, key): Domain() for user in (False, True) for key in range(4)}
        clients = [Client(n, daemon, has_two and n % 2 == 1, domains, secrets, options.seed)
                   for n in range(CLIENTS)]
        alone, seen, problems = {}, Counter(), []

        def answers_alone_are_known():
            for client in clients:
                answer = client.ask(client.secrets[client.number] + [FIRST_ID], NO_CACHE)
                must(answer["cached_tokens"] == 0, "bit 7 keeps a request from the cache")
                alone[client.number] = answer["results"][0]["token_ids"]

        def no_beginning_crosses_a_domain():
            threads = [threading.Thread(target=run, args=(c, options.rounds, seen, problems))
                       for c in clients]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            print("# " + ", ".join(f"{key}: {count}" for key, count in sorted(seen.items(), key=str)))
            must(not problems, "; ".join(problems[:5]))
            must(seen["asked"] == CLIENTS * options.rounds and seen["foreign"] > 0, "too few asked")

        def answers_are_as_alone_whatever_is_in_the_cache():
            """One may differ: behind a cached beginning chunks are cut elsewhere, and of two choices
            that are as good as equal the other may win."""
            differing = [client.number for client in clients
                         if client.ask(client.secrets[client.number] + [FIRST_ID])["results"][0]
                         ["token_ids"] != alone[client.number]]
            must(len(differing) <= 1, f"clients {differing} are answered otherwise")

        def its_own_beginnings_are_found_again():
            if not seen["cache", USED]:
                raise Skipped("this engine tells of no cache")
            client = clients[0]
            ids = client.secrets[0] + [FIRST_ID + 1]
            client.ask(ids)
            again = client.ask(ids + [FIRST_ID + 2])
            must(again["cached_tokens"] > SECRET_TOKENS // 2, f"found {again['cached_tokens']}")
            must(seen["hit"] > 0, "no request of the many found anything")

        def another_user_is_another_domain():
            if not has_two:
                raise Skipped("only root can be two users, if nobody may read what was built")
            ids = [lot.randrange(FIRST_ID, FIRST_ID + IDS) for _ in range(SECRET_TOKENS)]
            clients[0].ask(ids)
            other = clients[1]
            other.cache_domain = clients[0].cache_domain
            must(other.ask(ids)["cached_tokens"] == 0, "another user found a prompt in the cache")

        def another_cache_domain_is_another_domain():
            ids = [lot.randrange(FIRST_ID, FIRST_ID + IDS) for _ in range(SECRET_TOKENS)]
            clients[0].ask(ids)
            must(clients[2].cache_domain != clients[0].cache_domain, "they share one")
            must(clients[2].ask(ids)["cached_tokens"] == 0, "another domain's prompt was found")

        return run_tests([answers_alone_are_known, no_beginning_crosses_a_domain,
                          answers_are_as_alone_whatever_is_in_the_cache,
                          its_own_beginnings_are_found_again, another_user_is_another_domain,
                          another_cache_domain_is_another_domain])


if __name__ == "__main__":
    sys.exit(main())
