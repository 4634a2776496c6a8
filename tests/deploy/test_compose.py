"""deploy/compose.yaml: by the schema of compose, and its commands as processes, as no engine is needed for them."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

from processes import ROOT, WXGATE, Namespace, eventually, needs_namespaces

FILE = ROOT / "deploy" / "compose.yaml"
KEYS = {
    "WXGATE_SIGNING_KEY": "m0CNWGH0yxfD6lTD9cvSuyVmFA8zDxZzg2sgSvKWkiE=",
    "WXGATE_STORE_KEY": "3CXtmeJ6ZSE5vVXrnAy0jzqz0l6tkJlu7OE60zTkBg4=",
}


def services():
    return yaml.safe_load(FILE.read_text())["services"]


def interpolated(text):
    """`${NAME:-default}` and `${NAME:?reason}`, as compose replaces them."""
    return re.sub(r"\$\{(\w+):([-?])([^}]*)\}", lambda found: KEYS.get(found[1], found[3]), text)


def on_this_machine(service):
    """The command with the files of this machine in the place of those that are mounted."""
    mounted = dict(reversed(it.removesuffix(":ro").split(":")) for it in service.get("volumes", []))
    program = [WXGATE] if service["image"] == "wxgate" else []
    command = [mounted.get(part, part) for part in service["command"]]
    return program + [str(FILE.parent / part) if part.startswith("./") else part for part in command]


class Compose(unittest.TestCase):
    def test_it_is_valid_and_a_wrong_key_is_noticed(self):
        def check(text):
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
                file.write(text)
                file.flush()
                checker = pathlib.Path(sys.executable).parent / "check-jsonschema"
                command = [checker, "--builtin-schema", "vendor.compose-spec", file.name]
                return subprocess.run(command, capture_output=True, text=True, check=False)

        valid = check(FILE.read_text())
        self.assertEqual(valid.returncode, 0, valid.stdout)
        wrong = check(FILE.read_text().replace("read_only:", "readonly:", 1))
        self.assertIn("readonly", wrong.stdout)

    def test_no_container_may_more_than_it_needs(self):
        for name, service in services().items():
            with self.subTest(service=name):
                self.assertTrue(service["read_only"])
                self.assertEqual(service["cap_drop"], ["ALL"])
                self.assertEqual(service["security_opt"], ["no-new-privileges:true"])

    def test_only_this_machine_reaches_it(self):
        published = [port for service in services().values() for port in service.get("ports", [])]
        self.assertTrue(published)
        for port in published:
            self.assertTrue(port.startswith("127.0.0.1:"), port)

    @needs_namespaces
    def test_its_commands_let_somebody_log_in_and_call_the_service(self):
        network = Namespace("compose", hosts="127.0.0.1 redis\n")
        self.addCleanup(network.close)
        for service in services().values():
            environment = {name: interpolated(value) for name, value in service.get("environment", {}).items()}
            network.start(*on_this_machine(service), env={"PATH": os.environ["PATH"], **environment}, cwd=network.folder.name)

        def ready():
            return network.get("http://127.0.0.1:9901/readyz")[0] == 200

        try:
            eventually("the gateway is ready", ready)
            eventually("the service listens", lambda: network.get("http://127.0.0.1:3000/")[0] == 200)
            # As docs/deployment.md says it.
            code = network.get("http://127.0.0.1:8090/simulator/code?user=alice")[1].strip()
            login = json.loads(network.get(f"http://127.0.0.1:8080/wxLogin?code={code}")[1])
            bearer = f"Authorization: Bearer {login['token']}"
            status, body = network.get("http://127.0.0.1:8080/api/hello", bearer, "X-WX-OPENID: mallory")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{network.logs()}") from error
        self.assertEqual(status, 200, network.logs())
        identity = {name.lower(): value for name, value in json.loads(body)["identity"].items()}
        self.assertEqual(identity["x-wx-openid"], login["openid"])
        self.assertEqual(network.get("http://127.0.0.1:8080/api/hello")[0], 401)


if __name__ == "__main__":
    unittest.main()
