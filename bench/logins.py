"""Logins in a second of CPU time: wxgate beside the usual server on Node, both against the simulator."""

import json
import shutil
import subprocess

from contestant import RELEASE, ROOT, Contestant
from gateways import APPID, SECRET, Wxgate, WxgateProfiled
from measure import by_bench_load, interleaved
from people import codes
from processes import free_port
from stage import available, stage

LOGINS = 4_000  # of each server in each round
SOURCES = ROOT / "bench" / "node-server"
INSTALLED = ROOT / "target" / "node-server"


class NodeServer(Contestant):
    """bench/node-server: express, axios, jsonwebtoken."""

    name = "node"

    def start(self, processes, upstream):
        install()
        self.simulator = free_port()
        listen = "--listen", f"127.0.0.1:{self.simulator}"
        app = "--app", f"{APPID}:{SECRET}"
        processes.start("node-simulator", self.simulator, RELEASE / "wxgate", "simulate", *listen, *app)
        # As it is run in production: express caches and says less about errors.
        environment = {
            "PORT": self.port, "WECHAT": f"http://127.0.0.1:{self.simulator}", "APPID": APPID, "SECRET": SECRET,
            "JWT_SECRET": "the-secret-of-the-node-server-32", "NODE_ENV": "production",
        }
        assignments = (f"{name}={value}" for name, value in environment.items())
        self.run(processes, "env", *assignments, "node", INSTALLED / "server.js")

    def check(self, token):
        """Who logs in is known by the token that he gets."""
        code, = codes(self.simulator, 1, APPID)
        status, answer = self.get(f"/wxLogin?code={code}")
        session = json.loads(answer)
        status, who = self.get("/api/who", session["token"])
        if status != 200 or who.decode() != session["openid"]:
            self.fail(f"{status} {who!r} instead of the openid after a login")
        status, _ = self.get("/api/who")
        if status != 401:
            self.fail(f"{status} instead of 401 without a token")


class WxgateLogin(Wxgate):
    users = 10


class WxgateProfiledLogin(WxgateProfiled):
    users = 10


def install():
    """What the lockfile names, outside of the tree."""
    shutil.copytree(SOURCES, INSTALLED, dirs_exist_ok=True)
    if not (INSTALLED / "node_modules" / "express").exists():
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=INSTALLED, check=True)


def measure(options):
    with stage(available([WxgateLogin, WxgateProfiledLogin, NodeServer])) as (contestants, _, processes):
        subjects = {each.name: each for each in contestants}
        for each in contestants:
            log_in(each, processes)  # until Node's code is compiled
        return interleaved(options.rounds, subjects, lambda each: log_in(each, processes), processes, "logins")


def log_in(contestant, processes, appid=APPID):
    """Each login has a code of its own, made before anything is measured."""
    file = processes.folder / f"{contestant.name}.codes"
    # What bench-load sends before it measures takes codes too.
    made = codes(contestant.simulator, LOGINS + 50, appid)
    file.write_text("".join(f"/wxLogin?code={code}&appid={appid}\n" for code in made))
    command = RELEASE / "bench-load", f"127.0.0.1:{contestant.port}", "--requests", file, "--count", LOGINS
    return by_bench_load(contestant, command)
