"""wxgate in its variants."""

import json
import subprocess
import time

from contestant import PROFILED, RELEASE, SIGNING_KEY, Contestant
from people import codes, fetch
from processes import free_port

APPID = "wx0123456789abcdef"
SECRET = "0123456789abcdef0123456789abcdef"
# 32 bytes, in base64.
ENCRYPTION_KEY = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
# The load rotates over their tokens: a single one would be the dream of every cache.
USERS = 1000


class Wxgate(Contestant):
    """wxgate as people run it: every request is authenticated by the token of a live session, goes on with the identity
    headers, is counted, and has its line of JSON in a file."""

    name = "wxgate"
    binary = RELEASE / "wxgate"
    authenticates = True
    log = 'format = "json"'
    writes_lines = True
    users = USERS
    active = None  # how many of the users send requests; all, where it is none
    more = ""  # further tables of the configuration
    routes = [{"path": "/wxLogin", "action": "login"}, {"path": "/api/**", "upstream": "backend"}]
    apps = {"bench": APPID}

    def start(self, processes, upstream):
        self.simulator = free_port()
        apps = [option for appid in self.apps.values() for option in ("--app", f"{appid}:{SECRET}")]
        listen = "--listen", f"127.0.0.1:{self.simulator}"
        processes.start(f"{self.name}-simulator", self.simulator, self.binary, "simulate", *listen, *apps)
        config = processes.folder / f"{self.name}.toml"
        config.write_text(self.config(processes, upstream))
        self.run(processes, self.binary, "run", "--config", config)
        self.output = processes.folder / f"{self.name}.log"
        self.tokens = self.log_in()[: self.active]

    def store(self, processes):
        """What else the configuration says of the store."""
        return ""

    def signing_key(self, processes):
        return SIGNING_KEY

    def config(self, processes, upstream):
        tables = [
            self.server_table(),
            f'[admin]\nlisten = "127.0.0.1:{free_port()}"',
            *(f'[apps.{name}]\nappid = "{appid}"\nsecret = "{SECRET}"' for name, appid in self.apps.items()),
            f'[wechat]\nbase_url = "http://127.0.0.1:{self.simulator}"\nfallback_url = "http://127.0.0.1:{self.simulator}"',
            self.store(processes),
            f"[log]\n{self.log}",
            f"[session]\nsigning_keys = {json.dumps([self.signing_key(processes)])}",
            f'[upstreams.backend]\nservers = ["http://127.0.0.1:{upstream.port}"]',
            # All users come from one address, all at once, and idle connections are counted in thousands.
            '[limits]\nconnections = 30000\nlogin_rate = { per_ip = "600000/s", burst = 600000, per_app = "600000/s" }',
            self.more,
            *("[[routes]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in route.items())
              for route in self.routes),
        ]
        return "\n".join(tables)

    def server_table(self):
        tls = f'tls = {{ cert = "{self.certificate}/tls.crt", key = "{self.certificate}/tls.key" }}'
        return f"""
[server]
listen = ["127.0.0.1:{self.port}"]
workers = {self.threads}
lame_duck = "0s"
{tls if self.certificate else ""}
"""

    def log_in(self):
        """The tokens of the users, who are spread over the apps."""
        tokens = []
        for appid in self.apps.values():
            users = max(1, self.users // len(self.apps))
            paths = [f"/wxLogin?code={code}&appid={appid}" for code in codes(self.simulator, users, appid)]
            tokens += [json.loads(answer)["token"] for answer in fetch(self.port, paths, self.certificate is not None)]
        return tokens

    def check(self, token):
        super().check(token)
        time.sleep(0.5)  # lines are gathered before they are written
        if ('"message":"request"' in self.output.read_text()) != self.writes_lines:
            self.fail(f"it is not so that writes_lines = {self.writes_lines}: the wrong thing is measured")


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


class WxgateEddsa(Wxgate):
    """The same with tokens signed by an Ed25519 key, whose verification costs some twenty times that of an HMAC."""

    name = "wxgate-eddsa"

    def signing_key(self, processes):
        key = processes.folder / "ed25519.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        return key.read_text()


class WxgateProfiled(Wxgate):
    """The same, built from a profile by `make build-profiled`; left out where it is not built."""

    name = "wxgate-profiled"
    binary = PROFILED
