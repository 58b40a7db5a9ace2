#!/usr/bin/env python3
"""Who is served when, seen through the socket: users by weight, connections of a user evenly, nobody
held up by a flood, low requests under constant high load, and what those who wait are told. Prints
TAP.

    fairness.py --bin BUILD/bin

The echo engine takes one request at a time; one that is slow holds it while the others are put into
the queue, so that the order in which they end is the scheduler's alone. The daemon's spans tell that
order; requests of different clients differ in the last digit of their length. Nothing here depends
on how fast the machine is.
As root the daemon and one client are run by nobody and the other client by root: two users.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kit"))
import v2                                                   # noqa: E402
from daemon import ROOT, WAIT_SECONDS, Daemon, Skipped, must, poll, run_tests   # noqa: E402

MODEL, NOBODY = "one", 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
LOW, NORMAL, HIGH = 0, 1, 2
NOTICES = 512                       # of the field flags
AGED_MS, AGED_TURN = 2000, 4        # docs/operating.md
BIN = None


class Client:
    """One connection; its requests have lengths that end in its own digit."""

    def __init__(self, daemon, digit, uid=None):
        if uid is not None:         # the daemon asks the kernel who connects
            os.seteuid(uid)
        try:
            self.connection = daemon.connect()
        finally:
            os.seteuid(os.getuid())
        self.digit, self.last_id = digit, 0

    def send(self, text, **values):
        self.last_id += 1
        self.connection.send("inference_request", request_id=self.last_id, task=2,
                             texts=[{"text": text}],
                             **{**v2.SAMPLING, "model_id": MODEL, "priority": NORMAL, **values})
        return self.last_id

    def queue(self, tokens, **values):
        """Of so many tokens and its digit."""
        return self.send("x" * (tokens * 10 + self.digit), **values)

    def receive(self, wanted="inference_response"):
        kind, answer = self.connection.receive()
        must(kind == wanted, f"{kind} and not {wanted}: {answer}")
        return answer

    def receive_all(self, count):
        answers = [self.receive() for _ in range(count)]
        must(all(a["code"] == 0 for a in answers), f"failed: {[a for a in answers if a['code']][:1]}")
        return answers


class World(Daemon):
    def __init__(self, prefix=(), preload=(MODEL,), **settings):
        super().__init__(BIN, "fixtures/models/echo", list(preload), prefix=prefix, **settings)
        if prefix:
            shutil.chown(self.home, NOBODY, NOBODY)

    def hold(self):
        """Its one place is taken until the answer of this is cancelled."""
        client = Client(self, 0)
        client.send("slow:600s x", priority=3)
        poll(lambda: self.ask("health_check", "health_response", check_type=2)["running"] == 1,
             "the request to run")
        return client

    def queued(self, count):
        poll(lambda: self.ask("health_check", "health_response", check_type=2)["queue_depth"] == count,
             f"{count} requests to wait")

    def let_go(self, holder):
        holder.connection.send("cancel_request", request_id=holder.last_id)
        holder.receive("cancel_response")
        holder.receive()

    def order(self):
        """Digits and work of the requests that were answered, in the order in which they ended."""
        spans = self.ask("spans_request", "spans_response", max_count=0)["spans"]
        return [(s["prompt_tokens"] % 10, s["prompt_tokens"] + s["tokens_generated"], s["priority"])
                for s in spans if s["code"] == 0]


def jain(shares):
    """Jain, Chiu, Hawe: A Quantitative Measure of Fairness, DEC-TR-301, 1984."""
    return sum(shares) ** 2 / (len(shares) * sum(share ** 2 for share in shares))


def work_until_one_has_ended(order, digits):
    """What each was served until the first of them had nothing more."""
    left = {digit: sum(d == digit for d, _, _ in order) for digit in digits}
    served = dict.fromkeys(digits, 0)
    for digit, work, _ in order:
        if digit not in left:
            continue
        served[digit] += work
        left[digit] -= 1
        if left[digit] == 0:
            break
    return served


# ---- order

def a_flood_of_64_does_not_hold_up_another_client():
    with World() as daemon:
        holder, flood, other = daemon.hold(), Client(daemon, 1), Client(daemon, 2)
        for _ in range(64):
            flood.queue(2)
        daemon.queued(64)
        other.queue(2)
        daemon.queued(65)
        daemon.let_go(holder)
        flood.receive_all(64)
        other.receive_all(1)
        place = [digit for digit, _, _ in daemon.order()].index(2)
        must(place <= 1, f"{place} of the 64 went before it")


def two_connections_of_a_user_are_served_the_same_work():
    with World() as daemon:
        holder, long, short = daemon.hold(), Client(daemon, 1), Client(daemon, 2)
        lot = random.Random(1)
        for _ in range(30):
            long.queue(lot.randrange(10, 20))
        for _ in range(90):
            short.queue(lot.randrange(2, 8))
        daemon.queued(120)
        daemon.let_go(holder)
        long.receive_all(30)
        short.receive_all(90)
        served = work_until_one_has_ended(daemon.order(), (1, 2))
        ratio, index = served[1] / served[2], jain(list(served.values()))
        print(f"# served {served}, ratio {ratio:.3f}, Jain's index {index:.4f}")
        must(0.9 <= ratio <= 1.1, f"served {served}")


def users_are_served_work_in_proportion_to_their_weights():
    test = f'test -x "{BIN}/hearthd" && test -r "{ROOT}/fixtures/models/echo/one.manifest.json"'
    if os.getuid() != 0 or shutil.which("setpriv") is None or \
            subprocess.run([*AS_NOBODY, "sh", "-c", test]).returncode != 0:
        raise Skipped("only root can be two users, if nobody may run what was built")
    weights = {1: 300, 2: 100}
    sections = (f"[client heavy]\nuid = {NOBODY}\nweight = {weights[1]}\n"
                f"[client light]\nuid = 0\nweight = {weights[2]}\n")
    with World(AS_NOBODY, sections=sections) as daemon:
        holder, heavy, light = daemon.hold(), Client(daemon, 1, NOBODY), Client(daemon, 2)
        lot = random.Random(2)
        for client in (heavy, light):
            for _ in range(100):
                client.queue(lot.randrange(4, 25))
        daemon.queued(200)
        daemon.let_go(holder)
        heavy.receive_all(100)
        light.receive_all(100)
        served = work_until_one_has_ended(daemon.order(), (1, 2))
        shares = [served[digit] / weights[digit] for digit in weights]
        print(f"# served {served} by weights {weights}, Jain's index {jain(shares):.4f}")
        must(0.9 <= shares[0] / shares[1] <= 1.1, f"served {served}")


def a_low_request_ends_though_high_ones_never_cease():
    with World() as daemon:
        holder, high, low = daemon.hold(), Client(daemon, 1), Client(daemon, 2)
        for _ in range(8):
            high.send("slow:20ms xxxxxxxxxxx", priority=HIGH)
        daemon.queued(8)
        low.queue(2, priority=LOW)
        daemon.queued(9)
        daemon.let_go(holder)
        end, done = time.monotonic() + WAIT_SECONDS, 0
        low.connection.socket.setblocking(False)
        while time.monotonic() < end:
            high.receive()
            high.send("slow:20ms xxxxxxxxxxx", priority=HIGH)
            try:
                if low.connection.socket.recv(1):
                    done += 1
                    break
            except BlockingIOError:
                continue
        must(done == 1, "the low request was never answered")
        order = [priority for _, _, priority in daemon.order()]
        place = order.index(LOW)
        print(f"# {place} high ones went before it")
        must(HIGH in order[:place], "no high request went before it: nothing was shown")


def of_four_that_go_one_is_a_low_one_that_has_waited():
    with World() as daemon:
        holder, low, high = daemon.hold(), Client(daemon, 1), Client(daemon, 2)
        for _ in range(10):
            low.queue(2, priority=LOW)
        daemon.queued(10)
        begun = time.monotonic()
        poll(lambda: (time.monotonic() - begun) * 1000 > AGED_MS, "the low ones to be aged")
        for _ in range(40):
            high.queue(2, priority=HIGH)
        daemon.queued(50)
        daemon.let_go(holder)
        low.receive_all(10)
        high.receive_all(40)
        order = [priority for _, _, priority in daemon.order()][:40]
        places = [place for place, priority in enumerate(order) if priority == LOW]
        must(all(b - a == AGED_TURN for a, b in zip(places, places[1:])) and len(places) == 10,
             f"low ones went at {places}")


def models_that_compute_are_no_more_than_there_are_cores():
    with World(preload=[MODEL, "other"], threads=1) as daemon:
        holder, client = daemon.hold(), Client(daemon, 1)
        client.queue(1, model_id="other")
        daemon.queued(1)
        must(daemon.ask("health_check", "health_response", check_type=2)["running"] == 1,
             "two models compute on one core")
        daemon.let_go(holder)
        client.receive_all(1)


# ---- what those who wait are told

def a_full_queue_tells_place_and_wait_and_lets_others_in():
    with World(queue_limit=16) as daemon:
        client, other, last = Client(daemon, 1), Client(daemon, 2), Client(daemon, 3)
        for _ in range(60):             # until the rate is known
            client.send("slow:5ms x")
            if client.last_id > 8:
                client.receive()
        client.receive_all(8)
        holder = daemon.hold()
        for _ in range(16):
            client.queue(2)
        daemon.queued(16)
        client.queue(2)
        answer = client.receive()
        must(v2.ERRORS[answer["code"]] == "queue_full", f"{answer}")
        must(answer["queue_position"] == 16 and answer["expected_wait_ms"] >= 17 * 5
             and answer["retry_after_ms"] >= 5, f"{answer}")
        must(f"this one would be number 17 and wait about {answer['expected_wait_ms']} ms"
             in answer["error"], answer["error"])
        other.queue(2)
        last.queue(2)
        daemon.queued(18)               # an eighth more for those who have nothing waiting
        last.queue(2)
        must(v2.ERRORS[last.receive()["code"]] == "queue_full", "there was still room")
        daemon.let_go(holder)
        client.receive_all(16)
        other.receive_all(1)
        last.receive_all(1)


def a_class_has_a_limit_of_its_own():
    with World(queue_limit_low=2) as daemon:
        holder, client = daemon.hold(), Client(daemon, 1)
        for _ in range(3):
            client.queue(1, priority=LOW)
        answer = client.receive()
        must(v2.ERRORS[answer["code"]] == "queue_full" and "queue_limit_low 2" in answer["error"],
             f"{answer}")
        client.queue(1, priority=NORMAL)
        daemon.queued(3)
        daemon.let_go(holder)
        client.receive_all(3)


def a_user_has_a_limit_of_its_own():
    with World(client_queue_limit=2) as daemon:
        holder, one, two = daemon.hold(), Client(daemon, 1), Client(daemon, 2)
        one.queue(1)
        two.queue(1)
        daemon.queued(2)
        two.queue(1)
        answer = two.receive()
        must(v2.ERRORS[answer["code"]] == "queue_full" and "its queue limit 2" in answer["error"],
             f"{answer}")
        daemon.let_go(holder)


def a_deadline_that_cannot_be_met_is_refused_at_once():
    with World() as daemon:
        client = Client(daemon, 1)
        for _ in range(60):
            client.send("slow:50ms x")
        client.receive_all(30)          # so the rate is known: 50 ms each at the least
        client.send("x", timeout_ms=1)
        answer = client.receive()
        while answer["request_id"] != client.last_id:
            answer = client.receive()
        must(v2.ERRORS[answer["code"]] in ("expired",) and answer["queue_us"] == 0
             and answer["expected_wait_ms"] > 2 and "requests before it take about" in answer["error"],
             f"{answer}")


def who_asks_is_told_its_place_while_it_waits():
    with World() as daemon:
        holder, first, client = daemon.hold(), Client(daemon, 1), Client(daemon, 2)
        first.queue(1, priority=HIGH)
        first.queue(1, priority=HIGH)
        daemon.queued(2)
        number = client.queue(1, flags=NOTICES)
        notice = client.receive("queue_notice")
        must((notice["request_id"], notice["position"]) == (number, 2), f"{notice}")
        listed = daemon.ask("requests_request", "requests_response")["requests"]
        must([r["position"] for r in listed if r["state"] == 0] == [0, 1, 2], f"{listed}")
        first.connection.send("cancel_request", request_id=1)
        first.receive("cancel_response")
        notice = client.receive("queue_notice")
        must((notice["request_id"], notice["position"]) == (number, 1), f"{notice}")
        daemon.let_go(holder)
        client.receive_all(1)


def who_does_not_ask_is_told_nothing_but_the_answer():
    with World() as daemon:
        holder, client = daemon.hold(), Client(daemon, 1)
        client.queue(1)
        daemon.queued(1)
        daemon.let_go(holder)
        client.receive_all(1)
        client.queue(1, flags=NOTICES)  # it goes at once: there is no place to tell
        client.receive_all(1)


def main():
    global BIN
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    BIN = Path(parser.parse_args().bin)
    return run_tests([
        a_flood_of_64_does_not_hold_up_another_client,
        two_connections_of_a_user_are_served_the_same_work,
        users_are_served_work_in_proportion_to_their_weights,
        a_low_request_ends_though_high_ones_never_cease,
        of_four_that_go_one_is_a_low_one_that_has_waited,
        models_that_compute_are_no_more_than_there_are_cores,
        a_full_queue_tells_place_and_wait_and_lets_others_in,
        a_class_has_a_limit_of_its_own,
        a_user_has_a_limit_of_its_own,
        a_deadline_that_cannot_be_met_is_refused_at_once,
        who_asks_is_told_its_place_while_it_waits,
        who_does_not_ask_is_told_nothing_but_the_answer])


if __name__ == "__main__":
    sys.exit(main())
