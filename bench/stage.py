"""An upstream and contestants in front of it, all of them found to answer rightly."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from contestant import PROFILED, ROOT
from peers import ENVOY, Upstream
from processes import Processes, raise_open_files

# As long as a token of wxgate, for runs without it.
PLACEHOLDER = "x" * 240


def prepare():
    """What holds for the whole run."""
    same_profile()
    raise_open_files()
    os.environ["PATH"] += ":/usr/sbin"  # nginx and haproxy, for users whose PATH leaves it out
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends what was started, as Ctrl-C does


def same_profile():
    """Another profile or allocator would be measured as a difference of the programs."""
    manifests = [ROOT / "Cargo.toml", *(ROOT / "bench" / name / "Cargo.toml" for name in ("bare-pingora", "hot-path"))]
    texts = [file.read_text() for file in manifests]
    for kept in (r"\[profile\.release\]\n((?:[^\[\n].*\n)*)", r"(?m)^mimalloc = .*"):
        if len({re.search(kept, text).group(0) for text in texts}) > 1:
            raise SystemExit("release profile or mimalloc differ in Cargo.toml, bench/bare-pingora and bench/hot-path")


def available(kinds):
    """Without those whose program could not be installed on this machine."""
    kinds = list(kinds)
    programs = {"envoy": ENVOY, "wxgate-profiled": PROFILED}
    missing = [each for each in kinds if each.name in programs and not shutil.which(programs[each.name])]
    for each in missing:
        print(f"{each.name}: left out, there is no {programs[each.name]}", file=sys.stderr)
    return [each for each in kinds if each not in missing]


@contextlib.contextmanager
def stage(kinds, threads=1, tls=False):
    """Contestants of these kinds, started, the tokens that are sent to those without their own, and the processes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Processes(folder) as processes:
        upstream = Upstream(threads=1)
        upstream.start(processes)
        certificate = self_signed(processes.folder) if tls else None
        contestants = [kind(threads, certificate) for kind in kinds]
        for contestant in contestants:
            contestant.start(processes, upstream)
        # Those of a gateway that signs as the peers verify.
        signed = sorted((each for each in contestants if each.tokens), key=lambda each: each.name == "wxgate-eddsa")
        tokens = signed[0].tokens if signed else [PLACEHOLDER]
        for contestant in contestants:
            contestant.check(contestant.token or tokens[0])
        yield contestants, tokens, processes


def self_signed(folder):
    certificate, key = folder / "tls.crt", folder / "tls.key"
    curve = "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"
    names = "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"
    command = "openssl", "req", "-x509", "-nodes", *curve, "-days", "2", *names, "-keyout", key, "-out", certificate
    subprocess.run(command, check=True, capture_output=True)
    (folder / "tls.pem").write_text(certificate.read_text() + key.read_text())
    return folder
