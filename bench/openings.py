"""Openings of encryptedData without HTTP: wxgate's own code beside Node's crypto, with the same phone number."""

import base64
import json
import resource
import statistics
import subprocess

from contestant import RELEASE, ROOT
from logins import INSTALLED, install

# As in benches/hot_path.rs.
SESSION_KEY = "tiihtNczf5v6AKRyjwEUhQ=="
IV = base64.b64encode(bytes([7] * 16)).decode()
PHONE = (
    '{"phoneNumber":"13580006666","purePhoneNumber":"13580006666","countryCode":"86",'
    '"watermark":{"timestamp":1477314187,"appid":"wx4f4bc4dec97d474b"}}'
)
OPENINGS = 300_000


def measure(options):
    install()
    binary = RELEASE / "hot-path"
    result = {"wxgate": [], "node": []}
    for number in range(1, options.rounds + 1):
        result["wxgate"].append(OPENINGS / (cpu(binary, "open-data", OPENINGS) - cpu(binary, "open-data", 0)))
        result["node"].append(node())
        print(f"openings, round {number}: {result['wxgate'][-1]:,.0f} and {result['node'][-1]:,.0f} a second", flush=True)
    return {name: {"per_cpu_second": statistics.median(rounds), "rounds": rounds} for name, rounds in result.items()}


def cpu(*command):
    """Seconds of CPU time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(list(map(str, command)), check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def node():
    command = "node", INSTALLED / "measure-open-data.js", SESSION_KEY, sealed(), IV, "1"
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, cwd=ROOT)
    return json.loads(done.stdout)["per_cpu_second"]


def sealed():
    key, iv = base64.b64decode(SESSION_KEY).hex(), base64.b64decode(IV).hex()
    command = "openssl", "enc", "-aes-128-cbc", "-K", key, "-iv", iv
    done = subprocess.run(command, input=PHONE.encode(), check=True, capture_output=True)
    return base64.b64encode(done.stdout).decode()
