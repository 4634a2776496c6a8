"""Openings by the Node server and by wxgate, as their clients ask for them: the token looked at, the data opened, JSON out."""

import http.client
import json
import random
import urllib.parse

from contestant import RELEASE
from gateways import APPID
from logins import NodeServer, WxgateLogin, WxgateProfiledLogin
from measure import by_bench_load, interleaved
from people import codes, fetch
from stage import available, stage

USERS = 100
OPENINGS = 3_000  # of each server in each round
PATH = "/getUserProfile"


class Opening:
    """Before a contestant's class: its users are logged in, and it opens data."""

    routes = [*WxgateLogin.routes, {"path": PATH, "action": "open-data"}]

    def start(self, processes, upstream):
        super().start(processes, upstream)
        paths = [f"/wxLogin?code={code}" for code in codes(self.simulator, USERS, APPID)]
        self.people = [json.loads(answer)["token"] for answer in fetch(self.port, paths)]


def opening(kind):
    return type(kind.__name__, (Opening, kind), {})


def measure(options):
    kinds = available((WxgateLogin, WxgateProfiledLogin, NodeServer))
    with stage([opening(kind) for kind in kinds]) as (contestants, _, processes):
        subjects = {each.name: each for each in contestants}
        for each in contestants:
            open_all(each, processes)  # until Node's code is compiled
        return interleaved(options.rounds, subjects, lambda each: open_all(each, processes), processes, "openings")


def open_all(contestant, processes):
    """Each datum is sealed anew: wxgate opens none twice."""
    users = random.choices(range(USERS), k=OPENINGS + 50)
    file = processes.folder / f"{contestant.name}.openings"
    with file.open("w") as lines:
        for user, sealed in zip(users, phone_numbers(contestant.simulator, users)):
            query = urllib.parse.urlencode({name: sealed[name] for name in ("encryptedData", "iv")})
            lines.write(f"{PATH}?{query}\t{contestant.people[user]}\n")
    command = RELEASE / "bench-load", f"127.0.0.1:{contestant.port}", "--requests", file, "--count", OPENINGS
    return by_bench_load(contestant, command)


def phone_numbers(simulator, users):
    """A phone number sealed for each of these users."""
    connection = http.client.HTTPConnection("127.0.0.1", simulator)
    for user in users:
        connection.request("POST", "/simulator/encrypted-data", json.dumps({"user": str(user), "kind": "phone", "appid": APPID}))
        yield json.loads(connection.getresponse().read())
    connection.close()
