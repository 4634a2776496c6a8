"""How much memory an idle keep-alive connection holds."""

import http.client
import socket
import ssl
import time

from processes import rss_bytes


class Http1:
    """One connection of HTTP/1.1."""

    def __init__(self, port, tls):
        if tls:
            self.connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trusting("http/1.1"))
        else:
            self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def ask(self, path, headers):
        self.connection.request("GET", path, headers=headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{answer.status} instead of 200: {body[:300]!r}")

    @property
    def sock(self):
        """`None` is what http.client leaves of a connection whose answer said `Connection: close`."""
        return self.connection.sock

    def close(self):
        self.connection.close()


class Http2:
    """One connection of HTTP/2, as far as a single request without a body needs it."""

    HEADERS, SETTINGS = 1, 4
    STATUS_200 = 0x88  # HPACK, RFC 7541, A

    def __init__(self, port, tls):
        self.port, self.tls, self.sock = port, tls, None

    def ask(self, path, headers):
        # Not before: the server gives a new connection little time.
        self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        if self.tls:
            self.sock = trusting("h2").wrap_socket(self.sock)
        fields = {":method": "GET", ":scheme": "http", ":path": path, ":authority": "localhost"}
        fields |= {name.lower(): value for name, value in headers.items()}
        block = b"".join(b"\0" + hpack(name) + hpack(value) for name, value in fields.items())
        settings, end = frame(self.SETTINGS, 0, 0, b""), 5
        self.sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + frame(self.HEADERS, end, 1, block))
        ended = False
        while not ended:
            kind, flags, payload = self.frame()
            if kind == self.SETTINGS and not flags:
                self.sock.sendall(frame(self.SETTINGS, 1, 0, b""))
            if kind == self.HEADERS and self.STATUS_200 not in payload[:3]:
                raise SystemExit("another status than 200")
            ended = kind < self.SETTINGS and flags & 1

    def frame(self):
        head = self.read(9)
        return head[3], head[4], self.read(int.from_bytes(head[:3]))

    def read(self, length):
        read = b""
        while len(read) < length:
            part = self.sock.recv(length - len(read))
            if not part:
                raise SystemExit("the server closed a connection")
            read += part
        return read

    def close(self):
        self.sock.close()


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def hpack(text):
    """A string of HPACK, of any length that a token may have (RFC 7541, 5.1)."""
    length, rest = bytearray(), len(text)
    if rest < 127:
        length.append(rest)
    else:
        length.append(127)
        rest -= 127
        while rest >= 128:
            length.append(rest % 128 + 128)
            rest //= 128
        length.append(rest)
    return bytes(length) + text.encode()


def trusting(protocol):
    """Whatever the server's certificate is: it is this machine's."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context


def idle_connections(pid, port, path, token, count, http2=False, tls=False):
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(connection):
        connection.ask(path, headers)

    def connections(number):
        return [(Http2 if http2 else Http1)(port, tls) for _ in range(number)]

    # What is allocated once, whatever the number of connections, is not counted.
    for connection in connections(20):
        ask(connection)
        connection.close()
    time.sleep(1)

    before = rss_bytes(pid)
    held = connections(count)
    for connection in held:
        ask(connection)
    time.sleep(2)
    after = rss_bytes(pid)

    closed = sum(ended(connection.sock) for connection in held)
    for connection in held:
        connection.close()
    if closed:
        raise SystemExit(f"{closed} of {count} connections were closed by the server: the figure would be too small")
    return {"connections": count, "rss_before": before, "rss_after": after, "bytes_each": (after - before) / count}


def ended(sock):
    if sock is None:
        return True
    sock.setblocking(False)
    try:
        # What HTTP/2 says of itself meanwhile is no end.
        return sock.recv(64 << 10) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def describe(result):
    return (
        f"{result['bytes_each'] / 1024:.1f} KiB each for {result['connections']:,} idle connections "
        f"(RSS {result['rss_before'] / 2**20:.1f} → {result['rss_after'] / 2**20:.1f} MiB)"
    )
