"""The promise of the sidecar, in network namespaces: a pod, and somebody else in the cluster."""

import json
import os
import pathlib
import unittest

from processes import ROOT, WXGATE, Namespace, eventually, ip, needs_namespaces

POD, STRANGER = "10.99.0.1", "10.99.0.2"
SHOP = ROOT / "deploy" / "compose" / "shop.py"
GATEWAY = """
[server]
listen = ["0.0.0.0:8080"]
[apps.shop]
appid = "wx4f4bc4dec97d474b"
secret = "0123456789abcdef0123456789abcdef"
[wechat]
base_url = "http://127.0.0.1:8090"
[upstreams.shop]
servers = ["http://127.0.0.1:3000"]
[[routes]]
path = "/wxLogin"
action = "login"
[[routes]]
path = "/api/**"
upstream = "shop"
"""


def cable(one, other):
    """A network between the two namespaces."""
    ends = f"wxg{os.getpid()}a", f"wxg{os.getpid()}b"
    ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
    for end, namespace, address in [(ends[0], one, POD), (ends[1], other, STRANGER)]:
        ip("link", "set", end, "netns", namespace.name)
        namespace.run("ip", "address", "add", f"{address}/24", "dev", end)
        namespace.run("ip", "link", "set", end, "up")


@needs_namespaces
class Sidecar(unittest.TestCase):
    def setUp(self):
        self.pod, self.stranger = Namespace("pod"), Namespace("stranger")
        self.addCleanup(self.pod.close)
        self.addCleanup(self.stranger.close)
        cable(self.pod, self.stranger)
        self.file = pathlib.Path(self.pod.folder.name) / "gateway.toml"
        self.file.write_text(GATEWAY)
        self.pod.start(WXGATE, "simulate")

    def listen_on(self, address):
        """The service, on this address of the pod."""
        shop = pathlib.Path(self.pod.folder.name) / "shop.py"
        shop.write_text(SHOP.read_text().replace("127.0.0.1", address))
        self.pod.start("python3", shop)
        eventually("the service listens", lambda: self.pod.get("http://127.0.0.1:3000/")[0] == 200)

    def doctor(self):
        done = self.pod.run(WXGATE, "doctor", "--json", "--config", self.file)
        return done.returncode, {it["id"]: it for it in json.loads(done.stdout)["findings"]}

    def test_a_service_on_loopback_is_reached_through_the_gateway_alone(self):
        self.listen_on("127.0.0.1")
        self.pod.start(WXGATE, "run", "--config", self.file)
        eventually("the gateway is ready", lambda: self.pod.get("http://127.0.0.1:9901/readyz")[0] == 200)

        status, _ = self.stranger.get(f"http://{POD}:3000/api/hello", "X-WX-OPENID: mallory")
        self.assertEqual(status, 0, "the service was reached past the gateway")
        for port in [8090, 9901]:
            self.assertEqual(self.stranger.get(f"http://{POD}:{port}/")[0], 0, port)

        code = self.pod.get("http://127.0.0.1:8090/simulator/code?user=alice")[1].strip()
        login = json.loads(self.stranger.get(f"http://{POD}:8080/wxLogin?code={code}")[1])
        bearer = f"Authorization: Bearer {login['token']}"
        status, body = self.stranger.get(f"http://{POD}:8080/api/hello", bearer, "X-WX-OPENID: mallory")
        self.assertEqual(status, 200, self.pod.logs())
        identity = {name.lower(): value for name, value in json.loads(body)["identity"].items()}
        self.assertEqual(identity["x-wx-openid"], login["openid"])
        self.assertEqual(self.stranger.get(f"http://{POD}:8080/api/hello", "X-WX-OPENID: mallory")[0], 401)

        _, found = self.doctor()
        self.assertNotIn("upstream_bypass", found)

    def test_the_doctor_finds_a_service_that_can_be_reached_past_the_gateway(self):
        self.listen_on("0.0.0.0")
        status, body = self.stranger.get(f"http://{POD}:3000/api/hello", "X-WX-OPENID: mallory")
        self.assertEqual((status, "mallory" in body), (200, True), "the test has nothing to find")
        code, found = self.doctor()
        self.assertEqual(code, 65, found)
        self.assertIn(f"{POD}:3000", found["upstream_bypass"]["what"])


if __name__ == "__main__":
    unittest.main()
