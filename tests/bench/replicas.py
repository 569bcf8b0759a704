#!/usr/bin/env python3
"""What copies cost and carry: a cluster of real processes on this machine (`silagectl local up`, R=3, W=2, one ingester,
plain TCP between them).

  replicas.py cost [RATE] [ROUNDS]   CPU of the ingester's process per line over that of a bare receive loop with the same
                                     sender, in turn (goal: at most 3.5, nothing lost)
  replicas.py rate [RATE...]         the highest of these rates without loss, sender included, 10 s each (goal: 60,000/s)
  replicas.py push [SECONDS]         p50 and p99 of pushes of 100 lines, 50 a second, undisturbed
  replicas.py refill [MB] [LINES_S]  a storer with an emptied disk fetches MB of batches, as they are on the wire and on
                                     disk, beside ingest at LINES_S and queries (goal: 50 MB/s)
Called by ./dev bench replicas [all of these]. Exit status: 0 goals met; 1 not; 3 the machine was too busy for a verdict.
All processes run at real-time priority if that is allowed: what else the machine does then disturbs less."""
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import harness  # noqa: E402

BENCH = os.path.join(harness.ROOT, "build", "release", "bench")
TICK = os.sysconf("SC_CLK_TCK")
GOAL_COST = 3.5
GOAL_RATE = 60000
GOAL_REFILL_MB = 50
TOO_BUSY = 3


class Cluster:
    def __init__(self, *words):
        self.dir = tempfile.mkdtemp(prefix="silage-bench-")
        self.local("up", "--ingesters", 1, "--storers", 3, "--replication", 3, "--write-quorum", 2, *words)
        self.load_processes()
        self.push = self.processes["ingester-1"]["push"]
        self.query = self.processes["querier-1"]["http"]
        self.udp_port = self.processes["ingester-1"]["syslog_udp"].rsplit(":", 1)[1]
        harness.wait_until(lambda: harness.metrics(self.push)["silage_ingester_storers_ready"] == 3, 20, "3 storers")

    def local(self, *words):
        code, out, err = harness.ctl("local", *words, "--dir", self.dir)
        harness.check(code == 0, "local %r: %s%s", words, out, err)

    def load_processes(self):
        with open(os.path.join(self.dir, "cluster.json"), encoding="utf-8") as file:
            self.processes = {one["name"]: one for one in json.load(file)["processes"]}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        harness.ctl("local", "down", "--dir", self.dir)
        shutil.rmtree(self.dir, ignore_errors=True)

    def cpu_seconds(self, kind):
        """User and system time of all processes whose name begins so."""
        ticks = 0
        for name, one in self.processes.items():
            if name.startswith(kind):
                with open("/proc/%d/stat" % one["pid"], encoding="utf-8") as file:
                    fields = file.read().rsplit(") ", 1)[1].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / TICK

    def ledger(self):
        """Entries (accepted, lost, in flight)."""
        found = harness.metrics(self.push)
        return (harness.total(found, "silage_ingester_accepted_entries_total"),
                harness.total(found, "silage_ingester_dropped_entries_total") +
                harness.total(found, "silage_ingester_abandoned_entries_total"),
                found["silage_ingester_in_flight_entries"])

    def settle(self, wanted):
        """The ledger, once `wanted` entries have come to an end, or nothing has moved for 3 s."""
        last, since = None, time.monotonic()
        while True:
            now = self.ledger()
            if now != last:
                last, since = now, time.monotonic()
            if (now[0] + now[1] >= wanted and now[2] == 0) or time.monotonic() - since > 3:
                return now
            time.sleep(0.02)  # the pace of asking


@contextlib.contextmanager
def traffic():
    """A file of mail traffic, for bench_ingest send."""
    with tempfile.NamedTemporaryFile(suffix=".lines") as file:
        subprocess.run([os.path.join(BENCH, "bench_lines"), "200000", "7"], stdout=file, check=True)
        yield file.name


def send(lines, port, rate, count):
    """Send paced; the rate that was reached."""
    done = subprocess.run([os.path.join(BENCH, "bench_ingest"), "send", lines, str(port), str(rate), str(count)],
                          stdout=subprocess.PIPE, check=True)
    return int(re.search(rb" lines, (\d+)/s", done.stdout).group(1))


def bare_loop(lines, rate, count):
    """(ns of CPU per datagram, lost, rate reached) of a receiver that does nothing."""
    port = harness.free_port(harness.socket.SOCK_DGRAM)
    with subprocess.Popen([os.path.join(BENCH, "bench_ingest"), "limit", str(port), str(count)],
                          stdout=subprocess.PIPE) as receiver:
        receiver.stdout.readline()  # "ready"
        reached = send(lines, port, rate, count)
        found = re.search(rb", (\d+) ns CPU each, lost (\d+)", receiver.stdout.read())
    return int(found.group(1)), int(found.group(2)), reached


def ingest(cluster, lines, rate, count):
    """One paced run: (ns of CPU of the ingester per line, the same of all storers, lost, rate reached)."""
    accepted, lost, _ = cluster.settle(0)
    ingester, storers = cluster.cpu_seconds("ingester"), cluster.cpu_seconds("storer")
    reached = send(lines, cluster.udp_port, rate, count)
    now = cluster.settle(accepted + lost + count)
    done = max(now[0] - accepted, 1)
    return ((cluster.cpu_seconds("ingester") - ingester) / done * 1e9,
            (cluster.cpu_seconds("storer") - storers) / done * 1e9, count - done, reached)


def cost(rate=100000, rounds=5):
    count = rate * 3
    ratios, all_ratios, lost_sum = [], [], 0
    with traffic() as lines, Cluster() as cluster:
        ingest(cluster, lines, rate, rate)  # label sets are learnt, files made
        for number in range(2 * rounds):
            bare, bare_lost, bare_rate = bare_loop(lines, rate, count)
            mine, storers, lost, reached = ingest(cluster, lines, rate, count)
            good = min(bare_rate, reached) >= rate * 0.98 and bare_lost == 0
            all_ratios.append(mine / bare)
            if good:
                ratios.append(mine / bare)
                lost_sum += lost
            print("round %d: bare loop %d ns, ingester %.0f ns, ratio %.2f, 3 storers %.0f ns, lost %d, sent at %d/s, "
                  "load %.1f%s" % (number + 1, bare, mine, mine / bare, storers, lost, min(bare_rate, reached),
                                   os.getloadavg()[0], "" if good else ": does not count"), flush=True)
            if len(ratios) == rounds:
                break
    if len(ratios) * 2 < rounds:
        print("median ratio of all rounds: %.2f; the machine is too busy for %d lines/s" %
              (statistics.median(all_ratios), rate))
        return TOO_BUSY
    ratio = statistics.median(ratios)
    print("R=3, %d lines/s: median ratio %.2f (%.2f to %.2f in %d rounds), lost %d lines; goals: at most %.1f, 0" %
          (rate, ratio, min(ratios), max(ratios), len(ratios), lost_sum, GOAL_COST))
    return 0 if ratio <= GOAL_COST and lost_sum == 0 else 1


def rate(*rates):
    best = 0
    with traffic() as lines, Cluster() as cluster:
        ingest(cluster, lines, 20000, 20000)
        for wanted in rates or (60000, 80000, 100000, 120000, 150000, 200000):
            mine, storers, lost, reached = ingest(cluster, lines, wanted, wanted * 10)
            print("%d lines/s (%d reached) for 10 s: lost %d, ingester %.0f ns, 3 storers %.0f ns a line" %
                  (wanted, reached, lost, mine, storers), flush=True)
            if lost > 0 or reached < wanted * 0.98:
                break
            best = wanted
    print("R=3: %d lines/s without loss, sender on the same cores; goal: %d" % (best, GOAL_RATE))
    return 0 if best >= GOAL_RATE else 1


def push(seconds=10):
    took = []
    with Cluster() as cluster:
        for number in range(seconds * 50):
            begin = time.monotonic()
            now = time.time_ns()
            entries = [(now + i, "line %d of push %d" % (i, number), None) for i in range(100)]
            answer = harness.push(cluster.push, [({"job": "bench"}, entries)])
            harness.check(answer.code == 204, "push: HTTP %d", answer.code)
            took.append(time.monotonic() - begin)
            time.sleep(max(0, 0.02 - took[-1]))  # the pace
    took.sort()
    print("R=3, W=2: %d pushes of 100 lines: p50 %.1f ms, p99 %.1f ms, worst %.1f ms" %
          (len(took), took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3, took[-1] * 1e3))
    return 0


def repaired(cluster, name):
    """Bytes of batches that a storer has fetched; 0 while it does not answer."""
    with contextlib.suppress(OSError):
        return harness.total(harness.metrics(cluster.processes[name]["http"]), "silage_storer_repaired_bytes_total")
    return 0


def fill(cluster, lines, megabytes):
    """Ingest mail traffic until a storer holds so much."""
    def stored():
        return harness.total(harness.metrics(cluster.processes["storer-3"]["http"]), "silage_storer_stored_bytes_total")

    done = 0
    while stored() < megabytes * 10**6:
        ingest(cluster, lines, 150000, 500000)
        done += 500000
    print("%d lines, %.0f MB of batches in each storer" % (done, stored() / 1e6), flush=True)
    return stored()


class Background:
    """Ingest and queries beside what is measured; latencies of the queries."""

    def __init__(self, cluster, lines, lines_per_second):
        self.cluster, self.took, self.failed, self.ending = cluster, [], 0, threading.Event()
        self.sender = subprocess.Popen([os.path.join(BENCH, "bench_ingest"), "send", lines, cluster.udp_port,
                                        str(lines_per_second), str(lines_per_second * 600)], stdout=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self.ask)
        self.thread.start()

    def ask(self):
        while not self.ending.wait(0.2):  # the pace
            begin = time.monotonic()
            end = time.time_ns()
            answer = harness.request(self.cluster.query, "/loki/api/v1/query_range",
                                     {"query": '{app="postfix/smtp"} |= "bounced"', "start": end - 60 * harness.NS,
                                      "end": end, "limit": 100, "direction": "backward"})
            self.failed += answer.code != 200
            self.took.append(time.monotonic() - begin)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        self.sender.kill()
        self.sender.wait()

    def text(self):
        took = sorted(self.took) or [0]
        return "%d queries, %d failed, p50 %.0f ms, p99 %.0f ms" % (
            len(self.took), self.failed, took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3)


def refill(megabytes=250, lines_per_second=5000):
    with traffic() as lines, Cluster() as cluster:
        wanted = fill(cluster, lines, megabytes)
        cluster.local("stop", "storer-3")
        shutil.rmtree(os.path.join(cluster.dir, "storer-3"))
        with Background(cluster, lines, lines_per_second) as background:
            cluster.local("start", "storer-3")
            cluster.load_processes()
            begin = time.monotonic()
            harness.wait_until(lambda: repaired(cluster, "storer-3") > 0, 60, "the refill to begin")
            first = time.monotonic()
            harness.wait_until(lambda: repaired(cluster, "storer-3") >= wanted, 60 + megabytes,
                               lambda: "the refill: %d of %d" % (repaired(cluster, "storer-3"), wanted))
            seconds = time.monotonic() - first
            print("beside it: %s" % background.text())
    print("refill: %.0f MB of compressed batches in %.1f s, after %.1f s to begin: %.0f MB/s; goal: %d" %
          (wanted / 1e6, seconds, first - begin, wanted / 1e6 / seconds, GOAL_REFILL_MB))
    return 0 if wanted / 1e6 / seconds >= GOAL_REFILL_MB else 1


def main(arguments):
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    goals = {"cost": cost, "rate": rate, "push": push, "refill": refill}
    chosen = [arguments[0]] if arguments else list(goals)
    status = 0
    for name in chosen:
        print("== %s, load %.1f" % (name, os.getloadavg()[0]), flush=True)
        status = max(status, goals[name](*[int(word) for word in arguments[1:]]))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
