"""load.py RATE ADDRESS...: numbered syslog lines over UDP at a steady rate until standard input ends; then prints how many.

A program of its own, so that the threads of a test do not slow it down. Line N carries the number N, in ten digits; the
addresses take turns. What cannot be sent (nobody listens, no room) counts as sent."""
import select
import socket
import sys
import time

TICK_S = 0.005
BEHIND_S = 0.5  # what is not caught up with


def main():
    rate, addresses = int(sys.argv[1]), [address.rsplit(":", 1) for address in sys.argv[2:]]
    sockets = []
    for host, port in addresses:
        sockets.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sockets[-1].connect((host, int(port)))
    sent, last = 0, 0
    due = time.monotonic()
    while True:
        now = time.monotonic()
        due = max(due, now - BEHIND_S)
        count = int((now - due) * rate)
        micros = max(time.time_ns() // 1000, last + 1)
        second, last = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(micros // 1000000)), micros + count
        micros %= 1000000
        for number in range(sent, sent + count):
            text = "<14>1 %s.%06dZ udp load - - - u %010d to=<user%d@example.org>, relay=mx.example.com[192.0.2.1]:25, delay=0.4, dsn=2.0.0, status=sent" % (
                second, micros, number, number % 5000)
            micros = min(micros + 1, 999999)
            try:
                sockets[number % len(sockets)].send(text.encode())
            except OSError:
                pass
        sent += count
        due += count / rate
        if select.select([sys.stdin], [], [], TICK_S)[0]:
            break
    print(sent)


if __name__ == "__main__":
    main()
