"""Who takes part. A new peer is a class with a name and a `start`, listed in CONTESTANTS."""

import base64
import json
import time
import urllib.error
import urllib.request
from pathlib import Path

from processes import free_port

ROOT = Path(__file__).resolve().parent.parent
RELEASE = ROOT / "target" / "release"
PATH = "/api/kib"  # 1 KiB
WHO_PATH = "/api/who"  # the openid that reached the upstream
APPID = "wx0123456789abcdef"
SECRET = "0123456789abcdef0123456789abcdef"
ENCRYPTION_KEY = base64.b64encode(bytes(range(32, 64))).decode()
SIGNING_KEY = base64.b64encode(bytes(range(32))).decode()  # known, so that a peer can verify the same token


class Contestant:
    name = ""
    token = None  # what the client must present; those without one are sent another's, so that all read as much

    def __init__(self, threads):
        self.threads = threads
        self.port = free_port()
        self.pid = None

    def start(self, processes, upstream):
        """Starts it in front of `upstream`, and sets `pid`."""
        raise NotImplementedError

    def check(self, token):
        """A wrong answer is quick to give: none is measured before the right one was seen."""
        status, body = get(self.port, PATH, token)
        if (status, len(body)) != (200, 1024):
            raise SystemExit(f"{self.name}: {status} with {len(body)} bytes instead of 200 with 1024: {body[:300]!r}")

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


class Upstream(Contestant):
    """The business service: nginx with one worker. Measured as `direct`, it is what every proxy adds to."""

    name = "direct"

    def start(self, processes, upstream=None):
        self.pid = start_nginx(processes, "upstream", self.port, 1, f"""
            location = {PATH} {{ default_type text/plain; return 200 "{'x' * 1024}"; }}
            location = {WHO_PATH} {{ default_type text/plain; return 200 "$http_x_wx_openid"; }}
        """)


class Direct(Contestant):
    name = "direct"

    def start(self, processes, upstream):
        self.port, self.pid = upstream.port, upstream.pid


class Nginx(Contestant):
    """nginx as a plain proxy."""

    name = "nginx"

    def start(self, processes, upstream):
        self.pid = start_nginx(processes, self.name, self.port, self.threads, """
            location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }
        """, f"upstream backend {{ server 127.0.0.1:{upstream.port}; keepalive 256; keepalive_requests 1000000000; }}")


class Bare(Contestant):
    """pingora with nothing added: the yardstick."""

    name = "bare"

    def start(self, processes, upstream):
        addresses = f"127.0.0.1:{self.port}", f"127.0.0.1:{upstream.port}"
        self.pid = processes.start(self.name, self.port, RELEASE / "bare-pingora", *addresses, "--threads", self.threads)


class Wxgate(Contestant):
    """wxgate as people run it: every request is authenticated by the token of a live session, goes on with the identity
    headers, is counted, and has its line of JSON in a file."""

    name = "wxgate"
    log = 'format = "json"'
    writes_lines = True

    def start(self, processes, upstream):
        wxgate, simulator = RELEASE / "wxgate", free_port()
        options = "--listen", f"127.0.0.1:{simulator}", "--app", f"{APPID}:{SECRET}"
        processes.start(f"{self.name}-simulator", simulator, wxgate, "simulate", *options)
        config = processes.folder / f"{self.name}.toml"
        config.write_text(self.config(upstream, simulator, self.store(processes)))
        self.pid = processes.start(self.name, self.port, wxgate, "run", "--config", config)
        self.output = processes.folder / f"{self.name}.log"
        self.log_in(simulator)

    def store(self, processes):
        """What else the configuration says of the store."""
        return ""

    def config(self, upstream, simulator, store):
        return f"""
            [server]
            listen = ["127.0.0.1:{self.port}"]
            workers = {self.threads}
            [admin]
            listen = "127.0.0.1:{free_port()}"
            [apps.bench]
            appid = "{APPID}"
            secret = "{SECRET}"
            [wechat]
            base_url = "http://127.0.0.1:{simulator}"
            fallback_url = "http://127.0.0.1:{simulator}"
            {store}
            [log]
            {self.log}
            [session]
            signing_keys = ["{SIGNING_KEY}"]
            [upstreams.backend]
            servers = ["http://127.0.0.1:{upstream.port}"]
            [[routes]]
            path = "/wxLogin"
            action = "login"
            [[routes]]
            path = "/api/**"
            upstream = "backend"
        """

    def log_in(self, simulator):
        status, code = get(simulator, f"/simulator/code?user=bench&appid={APPID}")
        if status != 200:
            raise SystemExit(f"simulator: {status} instead of a code: {code[:300]!r}")
        status, answer = get(self.port, f"/wxLogin?code={code.decode().strip()}")
        if status != 200:
            raise SystemExit(f"wxgate: login answered {status}: {answer[:300]!r}")
        session = json.loads(answer)
        self.token, self.openid = session["token"], session["openid"]

    def check(self, token):
        super().check(token)
        status, _ = get(self.port, PATH)
        if status != 401:
            raise SystemExit(f"wxgate: {status} instead of 401 without a token: no authentication to measure")
        _, who = get(self.port, WHO_PATH, token)
        if who.decode() != self.openid:
            raise SystemExit(f"wxgate: the upstream saw the openid {who!r}, not {self.openid!r}")
        time.sleep(0.5)  # lines are gathered before they are written
        if ('"message":"request"' in self.output.read_text()) != self.writes_lines:
            raise SystemExit(f"{self.name}: it is not so that writes_lines = {self.writes_lines}: the wrong thing is measured")


class WxgateQuiet(Wxgate):
    """The same without the access log: the difference is what the log costs."""

    name = "wxgate-quiet"
    log = "access = false"
    writes_lines = False


class WxgateRedis(Wxgate):
    """The same with its sessions in a Redis: what the near cache leaves of the difference."""

    name = "wxgate-redis"

    def store(self, processes):
        redis = free_port()
        options = "--port", redis, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", processes.folder
        processes.start("redis", redis, "redis-server", *options)
        return f"""
            [store]
            url = "redis://127.0.0.1:{redis}"
            encryption_keys = ["{ENCRYPTION_KEY}"]
        """


CONTESTANTS = {each.name: each for each in (Wxgate, WxgateQuiet, WxgateRedis, Bare, Nginx, Direct)}


def start_nginx(processes, name, port, workers, server, http=""):
    folder = processes.folder / name
    folder.mkdir()
    # Everything is inside the folder, so that it runs without root; and no connection ends after a number of requests.
    (folder / "nginx.conf").write_text(f"""
        daemon off; worker_processes {workers}; worker_rlimit_nofile 65536; pid nginx.pid; error_log stderr warn;
        events {{ worker_connections 32768; }}
        http {{
            access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
            {http}
            server {{ listen 127.0.0.1:{port}; {server} }}
        }}
    """)
    return processes.start(name, port, "nginx", "-p", folder, "-e", "stderr", "-c", "nginx.conf")


def get(port, path, token=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    # No proxy of the environment between here and this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()
