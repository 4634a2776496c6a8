"""How long it takes from the start of a process to its first answer."""

import signal
import socket
import subprocess
import time

TIMES = 5
REQUEST = b"GET /api/kib HTTP/1.1\r\nHost: localhost\r\n\r\n"


def start_up(contestant, processes):
    """Milliseconds, of several starts. Any answer counts: to be refused without a token is one."""
    processes.stop(contestant.pid)
    return [once(contestant, processes) for _ in range(TIMES)]


def once(contestant, processes):
    began = time.monotonic()
    with subprocess.Popen(
        list(map(str, contestant.command)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not answers(contestant):
            if process.poll() is not None or time.monotonic() - began > 15:
                raise SystemExit(f"{contestant.name}: it does not start a second time")
            time.sleep(0.0005)
        taken = time.monotonic() - began
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            process.kill()
    return taken * 1e3


def answers(contestant):
    try:
        with socket.create_connection(("127.0.0.1", contestant.port), timeout=5) as connection:
            connection.sendall(REQUEST)
            return connection.recv(1) != b""
    except OSError:
        return False
