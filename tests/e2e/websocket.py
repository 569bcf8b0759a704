"""A WebSocket client of the standard library only (RFC 6455), for the tests of /loki/api/v1/tail.

It is its own implementation, so that a mistake of the server's codec is not shared. `Socket.frames` sees every frame;
`messages` gives the JSON documents and answers pings. Frames can be sent as wrong as a test wants them."""
import base64
import hashlib
import json
import os
import select
import socket
import struct
import time
import urllib.parse

import harness

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Refused(Exception):
    """The server answered something else than 101."""

    def __init__(self, code, headers, body):
        super().__init__("HTTP %d: %s" % (code, body.decode("utf-8", "replace")))
        self.code, self.headers, self.body = code, headers, body


def mask(payload, key):
    return bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


def frame(opcode, payload=b"", fin=True, masked=True, rsv=0, length=None):
    """One frame; length: a forged length field (as 64 bits)."""
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if length is not None:
        head += bytes([bit | 127]) + struct.pack(">Q", length)
    elif len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + mask(payload, key)


class Socket:
    """An open tail. Use as a context manager."""

    def __init__(self, base, path="/loki/api/v1/tail", params=None, headers=None, receive_bytes=None, timeout=20,
                 tls=None):
        url = urllib.parse.urlsplit(base)
        self.timeout = timeout * harness.SLOW
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(self.timeout)
        self.socket.connect((url.hostname, url.port))
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=url.hostname)
        self.buffer = b""
        self.pings = 0
        self.closed = None  # (code, reason) of the server's close frame
        key = base64.b64encode(os.urandom(16)).decode()
        if params:
            path += "?" + urllib.parse.urlencode(params, doseq=True)
        lines = {"Host": url.netloc, "Connection": "keep-alive, Upgrade", "Upgrade": "websocket",
                 "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
        lines.update(headers or {})
        text = "GET %s HTTP/1.1\r\n" % path
        text += "".join("%s: %s\r\n" % (name, value) for name, value in lines.items() if value is not None)
        self.socket.sendall(text.encode() + b"\r\n")
        self.shake_hands(key)

    def shake_hands(self, key):
        while b"\r\n\r\n" not in self.buffer:
            piece = self.socket.recv(65536)
            if not piece:
                raise OSError("closed within the handshake: %r" % self.buffer)
            self.buffer += piece
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        first, *rest = head.decode().split("\r\n")
        code = int(first.split()[1])
        headers = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in rest}
        if code != 101:
            while len(self.buffer) < int(headers.get("content-length", 0)):
                self.buffer += self.socket.recv(65536)
            self.socket.close()
            raise Refused(code, headers, self.buffer)
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        harness.same(headers.get("sec-websocket-accept"), accept.decode(), "Sec-WebSocket-Accept")
        harness.same(headers.get("upgrade", "").lower(), "websocket", "Upgrade")
        harness.check("upgrade" in headers.get("connection", "").lower(), "Connection: %s", headers.get("connection"))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def fill(self, count, deadline):
        """Until so many bytes are in the buffer, which keeps them."""
        while len(self.buffer) < count:
            left = deadline - time.monotonic()
            waiting = getattr(self.socket, "pending", lambda: 0)()  # what TLS has read already
            if left <= 0 or not waiting and not select.select([self.socket], [], [], left)[0]:
                raise TimeoutError("no frame in time")
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise EOFError("the connection was closed")
            self.buffer += piece

    def read_frame(self, seconds=None):
        """(opcode, payload). Server frames must be whole and unmasked. TimeoutError takes nothing."""
        deadline = time.monotonic() + (self.timeout if seconds is None else seconds)
        self.fill(2, deadline)
        first, second, head = self.buffer[0], self.buffer[1], 2
        harness.check(first & 0xF0 == 0x80 and second & 0x80 == 0, "bad frame head %02x %02x", first, second)
        length = second & 127
        if length >= 126:
            head += 2 if length == 126 else 8
            self.fill(head, deadline)
            length = int.from_bytes(self.buffer[2:head], "big")
        self.fill(head + length, deadline)
        payload, self.buffer = self.buffer[head:head + length], self.buffer[head + length:]
        return first & 15, payload

    def next(self, seconds=None, pong=True):
        """The next message as a document; None when the server closed (see `closed`). Pings are answered."""
        deadline = time.monotonic() + (self.timeout if seconds is None else seconds)
        while True:
            opcode, payload = self.read_frame(deadline - time.monotonic())
            if opcode == PING:
                self.pings += 1
                if pong:
                    self.send(frame(PONG, payload))
            elif opcode == CLOSE:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                self.closed = (code, payload[2:].decode())
                return None
            elif opcode == TEXT:
                return json.loads(payload.decode())

    def close(self, code=1000):
        """Our half of the closing handshake first; the server's answer."""
        self.send(frame(CLOSE, struct.pack(">H", code)))
        while self.closed is None and self.next() is not None:
            pass
        return self.closed


def rows(document):
    """[(ts_ns, line, labels, extra)] of one message, in its order."""
    found = []
    for stream in document["streams"]:
        for value in stream["values"]:
            found.append((int(value[0]), value[1], stream["stream"], value[2] if len(value) > 2 else None))
    return found
