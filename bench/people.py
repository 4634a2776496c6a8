"""Many requests from here, in little time: users who log in."""

import itertools
import re
import socket

from contestant import get
from idle import trusting

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CONNECTIONS = 50


def codes(simulator, count, appid):
    """Login codes, each of another user."""
    status, first = get(simulator, f"/simulator/code?user=0&appid={appid}")
    if status != 200:
        raise SystemExit(f"simulator: {status} instead of a code: {first[:300]!r}")
    paths = (f"/simulator/code?user={number}&appid={appid}" for number in range(count))
    return [code.decode().strip() for code in fetch(simulator, paths)]


def fetch(port, paths, tls=False):
    """The bodies of the answers, in their order; each has to be a 200."""
    paths = list(paths)
    connections = [connect(port, tls) for _ in range(min(CONNECTIONS, len(paths)))]
    bodies, paths = [], iter(paths)
    while batch := list(itertools.islice(paths, CONNECTIONS)):
        for connection, path in zip(connections, batch):
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        bodies += [receive(connection) for connection, _ in zip(connections, batch)]
    for connection in connections:
        connection.close()
    return bodies


def connect(port, tls):
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return trusting("http/1.1").wrap_socket(connection) if tls else connection


def receive(connection):
    read = b""
    while True:
        part = connection.recv(64 << 10)
        if not part:
            raise SystemExit(f"a connection was closed after {read!r}")
        read += part
        head, end, body = read.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if end and length and len(body) == int(length.group(1)):
            if not head.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"another answer than 200: {read[:500]!r}")
            return body
