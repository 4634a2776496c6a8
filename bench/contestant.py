"""What all contestants have in common: one request that is theirs to answer rightly before anything is measured."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from processes import free_port

ROOT = Path(__file__).resolve().parent.parent
RELEASE = ROOT / "target" / "release"
PROFILED = ROOT / "target" / "profiled" / "wxgate"
PATH = "/api/kib"  # 1 KiB
WHO_PATH = "/api/who"  # the openid that reached the upstream
# Known, so that peers can verify the same token; printable, since HAProxy's configuration is a text.
SHARED_SECRET = "the-peers-verify-the-same-token!"
SIGNING_KEY = base64.b64encode(SHARED_SECRET.encode()).decode()


class Contestant:
    name = ""
    # What clients present; those without any are sent another's, so that all read as much.
    tokens = ()
    # Whether it lets nobody through without a token, and sets the openid.
    authenticates = False

    def __init__(self, threads, certificate=None):
        """`certificate` is a folder with tls.crt, tls.key and both in tls.pem: with it, the listener speaks TLS."""
        self.threads = threads
        self.certificate = certificate
        self.port = free_port()
        self.pid = None
        self.command = None

    def start(self, processes, upstream):
        """Starts it in front of `upstream`, and sets `pid`."""
        raise NotImplementedError

    def run(self, processes, *command):
        self.command = command
        self.pid = processes.start(self.name, self.port, *command)

    @property
    def token(self):
        return self.tokens[0] if self.tokens else None

    def check(self, token):
        """A wrong answer is quick to give: none is measured before the right one was seen."""
        status, body = self.get(PATH, token)
        if (status, len(body)) != (200, 1024):
            self.fail(f"{status} with {len(body)} bytes instead of 200 with 1024: {body[:300]!r}")
        if self.authenticates:
            self.check_authentication(token)

    def check_authentication(self, token):
        head, payload, signature = token.split(".")
        other = "A" if signature[0] != "A" else "B"
        for bad in (None, f"{head}.{payload}.{other}{signature[1:]}"):
            status, _ = self.get(PATH, bad)
            if status != 401:
                self.fail(f"{status} instead of 401 with the token {bad}: no authentication to measure")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        _, who = self.get(WHO_PATH, token)
        if who.decode() != claims["sub"]:
            self.fail(f"the upstream saw the openid {who!r}, not {claims['sub']!r}")

    def get(self, path, token=None):
        return get(self.port, path, token, self.certificate is not None)

    def fail(self, text):
        raise SystemExit(f"{self.name}: {text}")

    def wrk_script(self, token):
        """Without a `request` function wrk sends one prepared request: the load must not be what is slow."""
        return f"""
            wrk.headers["Authorization"] = "Bearer {token}"
            function done(summary, latency)
                local e = summary.errors
                io.write(string.format(
                    'RESULT {{"requests": %d, "microseconds": %d, "errors": %d, "p50": %.0f, "p99": %.0f}}\\n',
                    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
                    latency:percentile(50), latency:percentile(99)))
            end
        """


def get(port, path, token=None, tls=False):
    request = urllib.request.Request(f"http{'s' if tls else ''}://127.0.0.1:{port}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    # No proxy of the environment between here and this machine, whose certificate is its own.
    own = ssl.create_default_context()
    own.check_hostname, own.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=own))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()
