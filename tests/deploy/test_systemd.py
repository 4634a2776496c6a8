"""The units, as systemd itself reads them. What the gateway says to systemd is in tests/gateway/service_manager.rs."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

UNITS = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "systemd"
# In tenths, as `--threshold` takes them: an exposure of 2.0.
MOST_EXPOSED = "20"
# Only systemd 253 and newer know the type; the one before it in the file is for the others.
KNOWN = "Failed to parse service type, ignoring: notify-reload"


def analyze(*arguments):
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze here")
class Units(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for unit in ["wxgate.service", "wxgate.socket"]:
            # A program that is there: `verify` looks for it.
            text = (UNITS / unit).read_text().replace("/usr/bin/wxgate", "/bin/true")
            (self.folder / unit).write_text(text)

    def complaints(self):
        said = analyze("verify", self.folder / "wxgate.service", self.folder / "wxgate.socket")
        return said.returncode, [line for line in said.stderr.splitlines() if not line.endswith(KNOWN)]

    def test_systemd_takes_them(self):
        self.assertEqual(self.complaints(), (0, []))

    def test_a_misspelt_key_is_noticed(self):
        unit = self.folder / "wxgate.service"
        unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHouse="))
        self.assertIn("ProtectHouse", "".join(self.complaints()[1]))

    def test_the_exposure_is_below_2(self):
        def exposed():
            unit = self.folder / "wxgate.service"
            return analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit)

        found = exposed()
        self.assertEqual(found.returncode, 0, found.stdout)
        print(re.search(r"Overall exposure level.*", found.stdout)[0])
        unit = self.folder / "wxgate.service"
        kept = [line for line in unit.read_text().splitlines() if not line.startswith(("SystemCallFilter", "Private"))]
        unit.write_text("\n".join(kept))
        self.assertNotEqual(exposed().returncode, 0, "nothing would be found")

    def test_the_socket_is_the_one_that_the_page_names(self):
        self.assertIn("FileDescriptorName=http\n", (UNITS / "wxgate.socket").read_text())
        page = (UNITS.parents[1] / "docs" / "deployment.md").read_text()
        self.assertIn('listen = ["systemd:http"]', page)


if __name__ == "__main__":
    unittest.main()
