"""What the end to end tests share: starting and ending the programs, pushing, sending, querying, waiting.

Standard library only. A test file is a program: it defines cases with @case and ends in harness.main(). Every process
gets a directory of its own, loopback ports that were free, and is ended by its pid. Nothing sleeps to wait for
something: wait_until() polls a condition with a deadline."""
import collections
import concurrent.futures
import gzip
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse

KIND = os.environ.get("SILAGE_KIND", "release")
LONG = os.environ.get("SILAGE_E2E_LONG", "") not in ("", "0")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("SILAGE_BIN", os.path.join(ROOT, "build", KIND, "bin"))
SILAGE = os.path.join(BIN, "silage")
SILAGECTL = os.path.join(BIN, "silagectl")
SLOW = 1 if KIND == "release" else 5  # sanitizers take their time: deadlines are multiplied by this
NS = 10**9
# ThreadSanitizer leaves room for some 200 maps of 16 GiB.
SETS = ["storer.map_bytes_max=1GiB"] if KIND == "tsan" else []
# Kernel and sanitizer reports of a daemon that mean a bug whatever else the test found.
REPORTS = re.compile(r"ERROR: AddressSanitizer|WARNING: ThreadSanitizer|runtime error:|LeakSanitizer|assertion|"
                     r"stack smashing|\*\*\* buffer overflow")


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def check(good, why, *details):
    if not good:
        raise Failure(why % details if details else why)


def same(found, wanted, what):
    check(found == wanted, "%s: found %.300r, wanted %.300r", what, found, wanted)


def wait_until(condition, seconds, what):
    """The first true answer of condition(); a Failure that says what after the deadline."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Failure("waited %.0f s for: %s" % (seconds * SLOW, what() if callable(what) else what))
        time.sleep(0.02)  # the pace of asking


def now_ns():
    return time.time_ns()


# ---- ports ----

def free_port(kind=socket.SOCK_STREAM, host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def has_ipv6():
    try:
        free_port(host="::1")
        return True
    except OSError:
        return False


# ---- HTTP ----

Answer = collections.namedtuple("Answer", "code headers body")


def request(base, path, params=None, method="GET", body=None, headers=None, timeout=None):
    """One request on a connection of its own. Raises OSError when there is no answer."""
    url = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout or 60 * SLOW)
    try:
        if params:
            path += "?" + urllib.parse.urlencode(params, doseq=True)
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    except http.client.HTTPException as error:
        raise OSError("broken answer: %r" % error) from error
    finally:
        connection.close()


def metrics(base, headers=None):
    """{"name{labels}": value} of a /metrics page."""
    found = {}
    for line in request(base, "/metrics", headers=headers).body.decode().splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            found[name] = float(value)
    return found


def total(found, name):
    """Sum over the label values of one metric."""
    return int(sum(value for key, value in found.items() if key == name or key.startswith(name + "{")))


# ---- pushes ----

def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, payload):
    """A length-delimited protobuf field."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def snappy(data):
    """Snappy block format, literals only (format_description.txt, 2.1)."""
    out = bytearray(varint(len(data)))
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out += b"\xf4" + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


def label_text(labels):
    return "{%s}" % ", ".join("%s=%s" % (name, json.dumps(value)) for name, value in labels.items())


def protobuf_push(streams):
    """logproto.PushRequest of [(labels, [(ts_ns, line, metadata)])]."""
    out = b""
    for labels, entries in streams:
        stream = field(1, label_text(labels).encode())
        for ts_ns, line, metadata in entries:
            stamp = b"\x08" + varint(ts_ns // NS) + b"\x10" + varint(ts_ns % NS)
            entry = field(1, stamp) + field(2, line if isinstance(line, bytes) else line.encode())
            for name, value in metadata.items():
                entry += field(3, field(1, name.encode()) + field(2, value.encode()))
            stream += field(2, entry)
        out += field(1, stream)
    return snappy(out)


def json_push(streams):
    return json.dumps({"streams": [
        {"stream": labels, "values": [[str(ts_ns), line] + ([metadata] if metadata else [])
                                      for ts_ns, line, metadata in entries]}
        for labels, entries in streams]}).encode()


def push(base, streams, form="json", timeout=None):
    headers = {"Content-Type": "application/json"}
    if form == "protobuf":
        body, headers = protobuf_push(streams), {"Content-Type": "application/x-protobuf"}
    elif form == "gzip":
        body, headers["Content-Encoding"] = gzip.compress(json_push(streams)), "gzip"
    else:
        body = json_push(streams)
    return request(base, "/loki/api/v1/push", method="POST", body=body, headers=headers, timeout=timeout)


# ---- syslog ----

def send_udp(address, *messages):
    host, port = split_address(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        for message in messages:
            sender.sendto(message if isinstance(message, bytes) else message.encode(), (host, port))


def send_tcp(address, *pieces):
    """Each piece is one write, as it is."""
    with socket.create_connection(split_address(address), timeout=30) as sender:
        for piece in pieces:
            sender.sendall(piece if isinstance(piece, bytes) else piece.encode())


def split_address(address):
    host, port = address.rsplit(":", 1)
    return host.strip("[]"), int(port)


def stamp_5424(ts_ns):
    """RFC 3339 UTC with microseconds."""
    seconds, rest = divmod(ts_ns, NS)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%06dZ" % (rest // 1000)


def stamp_3164(ts_ns):
    """Mmm dd hh:mm:ss in UTC, the zone that the daemons of the tests have."""
    parts = time.gmtime(ts_ns // NS)
    return "%s %2d %s" % (time.strftime("%b", parts), parts.tm_mday, time.strftime("%H:%M:%S", parts))


# ---- reading ----

Line = collections.namedtuple("Line", "ts_ns text labels metadata")
CATEGORIZE = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}


def read_lines(document):
    """Lines of a streams answer in the answer's order; metadata is {} without the categorize flag."""
    lines = []
    for stream in document["data"]["result"]:
        for value in stream["values"]:
            extra = value[2] if len(value) > 2 else {}
            lines.append(Line(int(value[0]), value[1], stream["stream"],
                              dict(extra.get("structuredMetadata", {}), **extra.get("parsed", {}))))
    return lines


def query_range(base, query, start, end, limit=5000, direction="forward", headers=CATEGORIZE, **more):
    params = dict({"query": query, "start": start, "end": end, "limit": limit, "direction": direction}, **more)
    answer = request(base, "/loki/api/v1/query_range", params, headers=headers)
    check(answer.code == 200, "query_range %s: HTTP %d: %.300s", query, answer.code, answer.body)
    document = json.loads(answer.body)
    check("warnings" not in document, "query_range %s: warnings %s", query, document.get("warnings"))
    return document


def lines_of(base, query, start, end, **more):
    return sorted(read_lines(query_range(base, query, start, end, **more)), key=lambda line: line.ts_ns)


def page_all(base, query, start, end, limit=5000, direction="forward"):
    """Every line of the range, page by page as a client that knows only Loki's API pages: the next page begins at the
    last time seen, and those lines of that time that came already are left out, each as often as it came."""
    found, edge = [], collections.Counter()
    while True:
        page = read_lines(query_range(base, query, start, end, limit, direction))
        page.sort(key=lambda line: line.ts_ns, reverse=direction == "backward")
        check(len(page) <= limit, "a page has %d lines, limit %d", len(page), limit)
        left = edge.copy()
        for line in page:
            if left[row_key(line)] > 0:
                left[row_key(line)] -= 1
            else:
                found.append(line)
        check(sum(left.values()) == 0, "%d lines of the page before did not come again", sum(left.values()))
        if len(page) < limit:
            return found
        last = page[-1].ts_ns
        check(page[0].ts_ns != last, "a whole page of one time")
        edge = collections.Counter(row_key(line) for line in page if line.ts_ns == last)
        if direction == "forward":
            start = last
        else:
            end = last + 1  # the end is exclusive


def row_key(line):
    return line.ts_ns, line.text, tuple(sorted(line.labels.items()))


def compare_multisets(found, wanted, what):
    found, wanted = collections.Counter(found), collections.Counter(wanted)
    missing, extra = wanted - found, found - wanted
    check(not missing and not extra, "%s: %d of %d missing (such as %.120r), %d unexpected or twice (such as %.120r)",
          what, sum(missing.values()), sum(wanted.values()), next(iter(missing), None), sum(extra.values()),
          next(iter(extra), None))


def instant(base, query, at_ns=None):
    """Samples of an instant query: [(labels, value)]."""
    answer = request(base, "/loki/api/v1/query", {"query": query, "time": at_ns or now_ns()})
    check(answer.code == 200, "query %s: HTTP %d: %.300s", query, answer.code, answer.body)
    return [(row["metric"], float(row["value"][1])) for row in json.loads(answer.body)["data"]["result"]]


def count_lines(base, selector, seconds=7200):
    rows = instant(base, "sum(count_over_time(%s[%ds]))" % (selector, seconds), now_ns() + 60 * NS)
    return int(rows[0][1]) if rows else 0


# ---- processes ----

class Process:
    """A child with its log. Ended by pid; its log is searched for sanitizer reports."""

    def __init__(self, command, log, env=None):
        self.log = log
        self.command = command
        with open(log, "ab") as out:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          env=dict(os.environ, TZ="UTC", **(env or {})))
        self.pid = self.child.pid

    def alive(self):
        return self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        if self.alive():
            self.child.kill()
        self.child.wait()

    def stop(self, seconds=15):
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.child.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure("did not end within %d s of SIGTERM: %s" % (seconds * SLOW, self.command[:2])) from None

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()


class Silage:
    """`silage all` (or another role) in a directory of its own. Use as a context manager."""

    def __init__(self, *sets, role="all", data=None, listeners=None, env=None):
        self.dir = tempfile.mkdtemp(prefix="silage-e2e-")
        self.data = data or os.path.join(self.dir, "data")
        self.log = os.path.join(self.dir, "log")
        self.role, self.sets, self.env = role, list(sets), env
        self.listeners = listeners
        self.process = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exception):
        self.close()

    def pick_ports(self):
        host = "127.0.0.1"
        self.query = "http://%s:%d" % (host, free_port())
        self.push = "http://%s:%d" % (host, free_port())
        self.admin = "http://%s:%d" % (host, free_port())
        self.transport = "%s:%d" % (host, free_port())
        self.udp = "%s:%d" % (host, free_port(socket.SOCK_DGRAM))
        self.tcp = "%s:%d" % (host, free_port())

    def command(self):
        listeners = self.listeners or ["{listen: '%s', protocol: udp}" % self.udp,
                                       "{listen: '%s', protocol: tcp}" % self.tcp]
        command = [SILAGE, self.role, "--data", self.data]
        for value in ["querier.http.listen=" + self.query[7:], "ingester.http.listen=" + self.push[7:],
                      "storer.http.listen=" + self.admin[7:], "transport.listen=" + self.transport,
                      "ingester.syslog=[%s]" % ", ".join(listeners), "node.id=e2e"] + SETS + self.sets:
            command += ["--set", value]
        return command

    def bases(self):
        return {"all": [self.query, self.push, self.admin], "querier": [self.query], "ingester": [self.push],
                "storer": [self.admin]}[self.role]

    def ready(self):
        try:
            return all(request(base, "/ready", timeout=2 * SLOW).code == 200 for base in self.bases())
        except OSError:
            return False

    def start(self, wait=True):
        """Ports are chosen once; they are chosen again when another process was faster."""
        for _ in range(3):
            if not hasattr(self, "query"):
                self.pick_ports()
            seen = os.path.getsize(self.log) if os.path.exists(self.log) else 0
            self.process = Process(self.command(), self.log, self.env)
            if not wait:
                return
            wait_until(lambda: not self.process.alive() or self.ready(), 30,
                       lambda: "silage to be ready; its log ends in:\n" + self.process.text()[-1500:])
            if self.process.alive():
                return
            if "in use" not in self.process.text()[seen:]:
                break
            del self.query
        raise Failure("silage ended at once with status %d:\n%s"
                      % (self.process.child.returncode, self.process.text()[-1500:]))

    def kill(self):
        self.process.kill()

    def stop(self, seconds=15):
        return self.process.stop(seconds)

    def restart(self):
        self.start()

    def rss_anon_mb(self):
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as status:
            return int(re.search(r"RssAnon:\s+(\d+) kB", status.read()).group(1)) / 1024

    def close(self):
        report = None
        if self.process is not None:
            try:
                if self.process.alive():
                    self.process.stop()
            finally:
                report = REPORTS.search(self.process.text())
                if report is not None and os.environ.get("SILAGE_E2E_KEEP"):
                    print("   kept " + self.dir)
                text = self.process.text()
                if not os.environ.get("SILAGE_E2E_KEEP"):
                    shutil.rmtree(self.dir, ignore_errors=True)
        if report is not None:
            raise Failure("the daemon reported:\n" + text[report.start():][:3000])


def settle(silage, seconds=20):
    """Wait until nothing is in flight; the ledger then."""
    def settled():
        found = metrics(silage.push)
        return found if found["silage_ingester_in_flight_entries"] == 0 else None
    return wait_until(settled, seconds, "entries in flight to settle")


def ctl(*words, timeout=120, env=None):
    """Run silagectl; (exit status, standard output, standard error)."""
    done = subprocess.run([SILAGECTL] + [str(word) for word in words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout * SLOW, check=False,
                          env=dict(os.environ, TZ="UTC", **(env or {})))
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def find_program(*names):
    """A program that ./dev has unpacked into build/tools, or one of the system."""
    folders = [os.path.join(ROOT, "build", "tools", "usr", kind) for kind in ("bin", "sbin")]
    folders += os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/sbin"]
    for name in names:
        for folder in folders:
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK):
                return path
    raise Skip("there is no %s here" % " or ".join(names))


# ---- cases ----

CASES = []


def case(function):
    CASES.append(function)
    return function


def show_dead(arguments):
    """A daemon that ended is shown with its last words and started again, so that the other cases mean something."""
    for silage in arguments:
        if isinstance(silage, Silage) and silage.process is not None and not silage.process.alive():
            print("   the daemon ended with status %d; its log:\n%s"
                  % (silage.process.child.returncode, silage.process.text()[-3000:]))
            silage.start()


def main(setup=None):
    """Run the cases, those named on the command line or all. setup() is a context manager whose value each case gets;
    without it cases get nothing."""
    wanted = sys.argv[1:]
    failed = 0

    def run(arguments):
        nonlocal failed
        for function in CASES:
            name = function.__name__
            if wanted and not any(re.search(want, name) for want in wanted):
                continue
            try:
                function(*arguments)
                print("ok " + name, flush=True)
            except Skip as skip:
                print("skip %s: %s" % (name, skip), flush=True)
            except Exception as error:  # a test that breaks is a test that failed
                failed += 1
                print("FAIL %s: %s" % (name, error), flush=True)
                if not isinstance(error, Failure):
                    print("".join(traceback.format_tb(error.__traceback__)[1:3]), end="")
                show_dead(arguments)

    try:
        if setup is None:
            run(())
        else:
            with setup() as value:
                run((value,))
    except Failure as error:
        failed += 1
        print("FAIL %s: %s" % (os.path.basename(sys.argv[0]), error), flush=True)
    sys.exit(1 if failed else 0)


def in_parallel(count, function):
    """[function(0), ..., function(count - 1)], all at once."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(function, range(count)))


def seeded():
    """Randomness that can be repeated: the seed is printed, SILAGE_SEED sets it."""
    seed = int(os.environ.get("SILAGE_SEED", random.SystemRandom().randrange(1 << 32)))
    print("   seed %d" % seed, flush=True)
    return random.Random(seed)
