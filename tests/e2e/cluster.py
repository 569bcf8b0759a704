"""What the tests of a cluster under faults share: the cluster itself, load that is known to the line, and readers that
compare what they find with it. The oracle is always what was sent, and what was answered 204, when."""
import collections
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import harness
from harness import NS, SLOW, check, ctl, same

HERE = os.path.dirname(os.path.abspath(__file__))
PUSH_LINES = 20  # of one push
LOOK_S = 10      # what readers look at is cut into spans of event time of so many seconds
FILLER = "to=<user%d@example.org>, relay=mx.example.com[192.0.2.1]:25, delay=0.4, dsn=2.0.0, status=sent (250 2.0.0 Ok)"


# ---- the cluster ----

class Cluster:
    """Processes of `silagectl local up` in a directory of their own. Ended by name, through silagectl."""

    def __init__(self, *words):
        self.dir = tempfile.mkdtemp(prefix="silage-e2e-")
        try:
            self.local("up", *words)
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise
        self.load()

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        self.close(quiet=kind is not None)

    def load(self):
        with open(os.path.join(self.dir, "cluster.json"), encoding="utf-8") as file:
            self.processes = {one["name"]: one for one in json.load(file)["processes"]}
        self.query = self.processes["querier-1"]["http"]

    def names(self, role):
        return sorted(name for name, one in self.processes.items() if one["role"] == role)

    def storers(self):
        return self.names("storer")

    def pushes(self):
        return [self.processes[name]["push"] for name in self.names("ingester")]

    def admin(self, name):
        return self.processes[name]["http"]

    def local(self, *words):
        code, out, err = ctl("local", *words, "--dir", self.dir)
        same(code, 0, "exit status of local %r (%s%s)" % (words, out, err))

    def start_many(self, names):
        """At once: one storer alone may wait for others. Starting changes cluster.json, so its pids are taken there."""
        for name in names:
            self.local("start", name)
        self.load()

    def pid(self, name):
        self.load()
        return self.processes[name]["pid"]

    def rewrite(self, change):
        """Stop all, let change(document of cluster.json, document of map.json) edit both, start all."""
        self.local("down")
        documents = []
        for file_name in ("cluster.json", "map.json"):
            with open(os.path.join(self.dir, file_name), encoding="utf-8") as file:
                documents.append(json.load(file))
        change(*documents)
        for file_name, document in zip(("cluster.json", "map.json"), documents):
            with open(os.path.join(self.dir, file_name), "w", encoding="utf-8") as file:
                json.dump(document, file)
        for role in ("storer", "ingester", "querier"):
            for name in self.names(role):
                self.local("start", name)
        self.load()

    def empty(self, name):
        shutil.rmtree(self.processes[name]["data_dir"])

    # -- how it is --

    def ask(self, *words, of=None, timeout=10):
        """(exit status, output) of a storer that answers, or of this one."""
        for name in [of] if of else self.storers():
            try:
                code, out, err = ctl("--admin", self.admin(name), *words, timeout=timeout / SLOW)
            except subprocess.TimeoutExpired:
                continue
            if code in (0, 3):
                return code, out
            if of:
                return code, out + err
        return None, "no storer answers"

    def states(self):
        _, out = self.ask("node", "ls", "-o", "json")
        return {row["id"]: row["state"] for row in json.loads(out)} if out.startswith("[") else {}

    def wait_for_nodes(self, seconds=60):
        """Every storer is ready in the eyes of every storer, and for every ingester."""
        def not_ready():
            for name in self.storers():
                _, out = self.ask("node", "ls", "-o", "json", of=name)
                states = {row["id"]: row["state"] for row in json.loads(out)} if out.startswith("[") else out
                if not out.startswith("[") or any(state != "ready" for state in states.values()):
                    return "%s sees %r" % (name, states)
            for push in self.pushes():
                count = harness.metrics(push)["silage_ingester_storers_ready"]
                if count != len(self.storers()):
                    return "%s sees %d" % (push, count)
            return None
        harness.wait_until(lambda: not_ready() is None, seconds, lambda: "all storers to be ready: %s" % not_ready())

    def wait_for_health(self, seconds=90):
        harness.wait_until(lambda: self.ask("status")[0] == 0, seconds,
                           lambda: "a healthy status:\n%s" % self.ask("status")[1])

    def copies(self):
        """Shard -> {node: digest} of the owners, and the rows of hint holders."""
        _, out = self.ask("shard", "ls", "-o", "json", timeout=30)
        owners, hints = collections.defaultdict(dict), []
        if out.startswith("["):
            for row in json.loads(out):
                if row["owner"]:
                    owners[row["shard"]][row["node"]] = row["set_digest"]
                else:
                    hints.append(row)
        return owners, hints

    def wait_for_equal_sets(self, replication, seconds=30):
        """How long it took until `shard ls` shows equal sets on all owners, and no hints."""
        begin = time.monotonic()

        def equal():
            owners, hints = self.copies()
            return owners and not hints and all(len(one) == replication and len(set(one.values())) == 1
                                                for one in owners.values())
        harness.wait_until(equal, seconds, lambda: "equal sets: %r" % (self.copies(),))
        return time.monotonic() - begin

    def ledger(self):
        """Counters of all ingesters; a Failure unless received = accepted + dropped + abandoned + in_flight."""
        sums = collections.Counter()
        for push in self.pushes():
            found = harness.metrics(push)
            for word in ("received", "accepted", "dropped", "abandoned"):
                sums[word] += harness.total(found, "silage_ingester_%s_entries_total" % word)
            sums["in_flight"] += int(found["silage_ingester_in_flight_entries"])
        return sums

    def settle(self, seconds=30):
        harness.wait_until(lambda: self.ledger()["in_flight"] == 0, seconds, lambda: "nothing in flight: %r" % self.ledger())
        found = self.ledger()
        same(found["received"], found["accepted"] + found["dropped"] + found["abandoned"], "entries received: %r" % found)
        return found

    def close(self, quiet=False):
        try:
            self.load()
            for name, one in self.processes.items():
                if one["pid"] > 0:
                    try:
                        os.kill(one["pid"], signal.SIGCONT)
                    except OSError:
                        pass
            self.local("down")
            for name in self.processes:
                with open(os.path.join(self.dir, name + ".log"), encoding="utf-8", errors="replace") as log:
                    text = log.read()
                report = harness.REPORTS.search(text)
                if report is not None:
                    print("   %s reported:\n%s" % (name, text[report.start():][:3000]))
                check(report is None or quiet, "%s reported a bug", name)
        finally:
            if os.environ.get("SILAGE_E2E_KEEP") or (quiet and harness.LONG):
                print("   kept " + self.dir)
            else:
                shutil.rmtree(self.dir, ignore_errors=True)


# ---- load ----

class UdpLoad:
    """load.py in a process of its own: numbered lines at a steady rate, to each address in turn."""

    def __init__(self, addresses, rate):
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "load.py"), str(rate)] + addresses,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.begin_ns = harness.now_ns()

    def stop(self):
        """Lines sent."""
        out, _ = self.process.communicate()  # closes its standard input, which ends it
        self.end_ns = harness.now_ns()
        return int(out)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Pushers:
    """Threads that push lines of their own at a pace. What is not answered 204 is sent again, byte for byte, by half of
    the threads; the others go on with the next one, as agents do that give up. Push N of a thread has PUSH_LINES lines
    from times[N] on, one nanosecond apart."""

    def __init__(self, bases, count=4, interval=0.04, app="push", times=None):
        self.bases, self.interval, self.app, self.next_ns = bases, interval, app, times or harness.now_ns
        self.times = [[] for _ in range(count)]
        self.good = [bytearray() for _ in range(count)]  # by push: 1 = answered 204
        self.begun, self.acked = collections.Counter(), collections.Counter()  # lines by span of event time
        self.answers = []  # (when it began, when it ended, HTTP code or 0), monotonic seconds
        self.lock, self.ending = threading.Lock(), threading.Event()
        self.begin_ns = harness.now_ns()
        self.threads = [threading.Thread(target=self.work, args=(n,), daemon=True) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def work(self, pusher):
        due = time.monotonic()
        while not self.ending.is_set():
            number = self.begin(pusher)
            turn = pusher + number
            while not self.send(pusher, number, turn) and pusher % 2 == 0 and not self.ending.is_set():
                turn += 1  # to another ingester, if there is one
                self.ending.wait(0.05)  # the pace of asking again
            due = max(due + self.interval, time.monotonic() - 1)
            self.ending.wait(max(0.0, due - time.monotonic()))

    def begin(self, pusher):
        with self.lock:
            ts_ns = self.next_ns()
            self.times[pusher].append(ts_ns)
            self.good[pusher].append(0)
            self.begun[ts_ns // (LOOK_S * NS)] += PUSH_LINES
            return len(self.times[pusher]) - 1

    def send(self, pusher, number, turn):
        ts_ns = self.times[pusher][number]
        entries = [(ts_ns + i, "p %d %d %d %s" % (pusher, number, i, FILLER % number), {}) for i in range(PUSH_LINES)]
        begin, code = time.monotonic(), 0
        try:
            code = harness.push(self.bases[turn % len(self.bases)],
                                [({"app": self.app, "pusher": str(pusher)}, entries)], timeout=20).code
        except OSError:
            pass  # nobody answers: not acknowledged
        with self.lock:
            self.answers.append((begin, time.monotonic(), code))
            if code == 204:
                self.good[pusher][number] = 1
                self.acked[ts_ns // (LOOK_S * NS)] += PUSH_LINES
        return code == 204

    def snapshot(self, counter, spans):
        with self.lock:
            return sum(counter[span] for span in spans)

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        self.end_ns = max((times[-1] for times in self.times if times), default=self.begin_ns) + PUSH_LINES

    def latencies(self, since, until):
        """Of attempts that ended in this time: sorted seconds of those with 204, their ends, and the other codes."""
        with self.lock:
            seen = [one for one in self.answers if since <= one[1] <= until]
        good = sorted(end - begin for begin, end, code in seen if code == 204)
        ends = sorted(end for _, end, code in seen if code == 204)
        return good, ends, collections.Counter(code for _, _, code in seen if code != 204)

    def wait_for_one(self):
        harness.wait_until(lambda: self.acked, 20, "the first 204")


def percentile(ordered, part):
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")


# ---- readers ----

class Readers:
    """Threads that ask all the time. Numbers: a count of pushed lines over a span that has begun is at least what had been
    answered 204 before the question and at most what had been sent when the answer came; a count of a fixed span of
    syslog never falls. Lines: what a pusher had acknowledged is there, nothing twice. Whatever is not as it must be
    is a row of `wrong`; refusals and warnings are counted, and wrong unless may_be_incomplete()."""

    def __init__(self, query, pushers, udp=True, count=1):
        self.query, self.pushers, self.udp = query, pushers, udp
        self.wrong, self.times = [], []  # times: (begin, end, outcome)
        self.outcomes = collections.Counter()
        self.allow_incomplete = threading.Event()
        self.lock, self.ending = threading.Lock(), threading.Event()
        self.fixed = {}
        self.threads = [threading.Thread(target=self.work, args=(n,), daemon=True) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def work(self, reader):
        kinds = [self.count_pushes, self.lines_of_a_pusher] + ([self.count_udp] if self.udp else [])
        turn = reader
        while not self.ending.is_set():
            incomplete = self.allow_incomplete.is_set()
            begin = time.monotonic()
            try:
                outcome = kinds[turn % len(kinds)](turn)
            except OSError as error:
                outcome = "no answer: %s" % error
            except Exception as error:  # a reader that ends would see nothing any more
                outcome = "reader: %r" % error
            end = time.monotonic()
            incomplete = incomplete or self.allow_incomplete.is_set()
            with self.lock:
                self.times.append((begin, end, outcome))
                self.outcomes[outcome if outcome in ("whole", "warning", "503") else "wrong"] += 1
                if outcome != "whole" and not (incomplete and outcome in ("warning", "503")):
                    self.wrong.append("%s at %s: %s" % (kinds[turn % len(kinds)].__name__, time.strftime("%H:%M:%S"), outcome))
            turn += 1
            self.ending.wait(0.05)  # the pace of asking

    def number(self, selector, end_ns, seconds):
        """(outcome, value) of a count."""
        answer = harness.request(self.query, "/loki/api/v1/query", {
            "query": "sum(count_over_time(%s[%ds]))" % (selector, seconds), "time": end_ns}, timeout=30)
        if answer.code == 503:
            check(b"could not be read whole" in answer.body or b"storer" in answer.body, "a 503 without its reason: %.300r", answer.body)
            return "503", None
        check(answer.code == 200, "HTTP %d: %.300s", answer.code, answer.body)
        document = json.loads(answer.body)
        rows = document["data"]["result"]
        return "warning" if "warnings" in document else "whole", int(rows[0]["value"][1]) if rows else 0

    def count_pushes(self, turn):
        last = harness.now_ns() // (LOOK_S * NS)
        spans = range(last - 2 - turn % 4, last + 1)
        least = self.pushers.snapshot(self.pushers.acked, spans)
        outcome, found = self.number('{app="%s"}' % self.pushers.app, (last + 1) * LOOK_S * NS, len(spans) * LOOK_S)
        most = self.pushers.snapshot(self.pushers.begun, spans)
        if outcome != "whole" or least <= found <= most:
            return outcome
        return "count of spans %d to %d is %d, acknowledged %d before, sent %d after" % (spans[0], last, found, least, most)

    def count_udp(self, turn):
        """Each span of three is counted again and again, until later ones are."""
        last = harness.now_ns() // (LOOK_S * NS) // 3 * 3
        outcome, found = self.number('{host="udp"}', (last + 3) * LOOK_S * NS, 3 * LOOK_S)
        if outcome != "whole":
            return outcome
        with self.lock:
            before = self.fixed.get(last, 0)
            self.fixed[last] = max(found, before)
        return "whole" if found >= before else "count of syslog fell from %d to %d" % (before, found)

    def lines_of_a_pusher(self, turn):
        pusher = turn % len(self.pushers.times)
        with self.pushers.lock:
            total = len(self.pushers.times[pusher])
            first = max(0, total - 60)
            if total == 0:
                return "whole"
            start_ns = self.pushers.times[pusher][first]
            acked = [n for n in range(first, total) if self.pushers.good[pusher][n]]
        document = self.page(pusher, start_ns, ("forward", "backward")[turn % 2])
        if isinstance(document, str):
            return document
        found = collections.Counter(tuple(map(int, text.split(" ", 4)[1:4])) for text in document[1])
        twice = [key for key, count in found.items() if count > 1]
        missing = [n for n in acked for i in range(PUSH_LINES) if (pusher, n, i) not in found]
        if twice:
            return "lines twice: %r" % twice[:3]
        if missing and document[0] == "whole":
            return "acknowledged pushes %r of pusher %d are missing" % (sorted(set(missing))[:10], pusher)
        return document[0]

    def page(self, pusher, start_ns, direction):
        answer = harness.request(self.query, "/loki/api/v1/query_range", {
            "query": '{app="%s",pusher="%d"}' % (self.pushers.app, pusher), "start": start_ns,
            "end": harness.now_ns() + 60 * NS, "limit": 5000, "direction": direction}, timeout=30)
        if answer.code == 503 and self.allow_incomplete.is_set():
            return "503"  # the one that evaluated it was lost, and nobody could take its place
        if answer.code != 200:
            return "HTTP %d: %.300s" % (answer.code, answer.body)
        document = json.loads(answer.body)
        texts = [value[1] for stream in document["data"]["result"] for value in stream["values"]]
        if len(texts) >= 5000:
            return "more lines than were sent"
        return "warning" if document.get("warnings") else "whole", texts

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()

    def slowest(self, since, until):
        with self.lock:
            return max((end - begin for begin, end, _ in self.times if end >= since and begin <= until), default=0.0)

    def verdict(self):
        """A Failure unless every answer was right."""
        check(not self.wrong, "%d wrong answers of %d, such as:\n   %s", len(self.wrong), len(self.times),
              "\n   ".join(self.wrong[:8]))


# ---- every line, by paging ----

def pages(query, selector, start, end, limit=5000, direction="forward"):
    """(ts_ns, text) of every line, as a client that knows only Loki's API pages: see harness.page_all. On one connection,
    and lean: there may be millions."""
    url = urllib.parse.urlsplit(query)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60 * SLOW)
    edge = collections.Counter()
    try:
        while True:
            connection.request("GET", "/loki/api/v1/query_range?" + urllib.parse.urlencode({
                "query": selector, "start": start, "end": end, "limit": limit, "direction": direction}))
            answer = connection.getresponse()
            body = answer.read()
            check(answer.status == 200, "page: HTTP %d: %.300s", answer.status, body)
            document = json.loads(body)
            check("warnings" not in document, "page: %s", document.get("warnings"))
            page = [(int(value[0]), value[1]) for stream in document["data"]["result"] for value in stream["values"]]
            page.sort(key=lambda row: row[0], reverse=direction == "backward")
            left = edge.copy()
            for row in page:
                if left[row] > 0:
                    left[row] -= 1
                else:
                    yield row
            check(sum(left.values()) == 0, "%d lines of the page before did not come again", sum(left.values()))
            if len(page) < limit:
                return
            last = page[-1][0]
            check(page[0][0] != last, "a whole page of one time")
            edge = collections.Counter(row for row in page if row[0] == last)
            if direction == "forward":
                start = last
            else:
                end = last + 1  # the end is exclusive
    finally:
        connection.close()


def verify_pushes(query, pushers, limit=5000, direction="forward"):
    """Every 204 exactly once, nothing else more than once, nothing that was never sent. Lines acknowledged."""
    acked = 0
    for pusher, times in enumerate(pushers.times):
        found = [0] * len(times)  # bits of the lines of each push
        if not times:
            continue
        for _, text in pages(query, '{app="%s",pusher="%d"}' % (pushers.app, pusher), min(times) - NS, max(times) + NS, limit,
                             direction):
            _, of, number, line, _ = text.split(" ", 4)
            same(int(of), pusher, "pusher of a line")
            bit = 1 << int(line)
            check(not found[int(number)] & bit, "line twice: %.80s", text)
            found[int(number)] |= bit
        missing = [n for n, bits in enumerate(found) if pushers.good[pusher][n] and bits != (1 << PUSH_LINES) - 1]
        check(not missing, "pusher %d: %d of %d acknowledged pushes are not whole: %r", pusher, len(missing),
              sum(pushers.good[pusher]), [(n, bin(found[n]).count("1"), pushers.times[pusher][n]) for n in missing[:5]])
        acked += sum(pushers.good[pusher]) * PUSH_LINES
    check(acked > 0, "no push was acknowledged")
    return acked


def verify_udp(query, load, sent, parts=8):
    """Lines found; nothing twice, nothing that was never sent."""
    seen = bytearray(sent)
    start, end = load.begin_ns - 10 * NS, load.end_ns + 60 * NS
    edges = [start + (end - start) * n // parts for n in range(parts + 1)]
    found = 0
    for first, last in zip(edges, edges[1:]):
        for _, text in pages(query, '{host="udp"}', first, last):
            number = int(text[2:12])
            check(number < sent, "a line that was never sent: %.80s", text)
            check(not seen[number], "line twice: %.80s", text)
            seen[number] = 1
            found += 1
    return found
