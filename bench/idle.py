"""How much memory an idle keep-alive connection holds."""

import http.client
import time

from processes import rss_bytes


def idle_connections(pid, port, path, token, count):
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{answer.status} instead of 200: {body[:300]!r}")

    def connections(number):
        return [http.client.HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(number)]

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
    """`None` is what http.client leaves of a connection whose answer said `Connection: close`."""
    if sock is None:
        return True
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def describe(result):
    return (
        f"{result['bytes_each'] / 1024:.1f} KiB each for {result['connections']:,} idle connections "
        f"(RSS {result['rss_before'] / 2**20:.1f} → {result['rss_after'] / 2**20:.1f} MiB)"
    )
