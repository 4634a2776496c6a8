"""The workflows and the Dockerfile: what they call is there, and they may no more than they need."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
TOOLS = pathlib.Path(sys.executable).parent


def run(*command, **settings):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **settings)


def jobs():
    for workflow in WORKFLOWS:
        for name, job in yaml.safe_load(workflow.read_text())["jobs"].items():
            yield f"{workflow.name}: {name}", job


def commands():
    """The lines that are run, and where."""
    for name, job in jobs():
        for step in job.get("steps", []):
            for line in step.get("run", "").splitlines():
                yield name, line


class Workflows(unittest.TestCase):
    def test_linters_have_no_complaint(self):
        self.assertGreaterEqual(len(WORKFLOWS), 2)
        for linter in [
            [TOOLS / "zizmor", "--offline", "--no-progress", *WORKFLOWS],
            [TOOLS / "yamllint", "--strict", "--config-file", ROOT / ".yamllint.yaml", ROOT / ".github", ROOT / "deploy"],
            ["actionlint", *WORKFLOWS],
        ]:
            with self.subTest(linter=str(linter[0])):
                done = run(*linter, cwd=ROOT)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_what_they_call_is_there(self):
        called = set()
        for name, line in commands():
            for path in re.findall(r"(?:^|\s)(\.ci/run|scripts/[\w-]+|deploy/[\w./-]+|helm/[\w/-]+)", line):
                called.add(path)
                self.assertTrue((ROOT / path).exists(), f"{name} calls {path}")
            for target in re.findall(r"\bmake ([\w-]+)", line):
                self.assertRegex((ROOT / "Makefile").read_text(), rf"(?m)^{target}:", name)
        self.assertLessEqual({".ci/run", "scripts/deny", "scripts/test-deploy", "scripts/release-notes"}, called)

    def test_the_stages_of_the_image_that_they_name_are_there(self):
        stages = re.findall(r"(?m)^FROM .* AS (\w+)$", DOCKERFILE.read_text())
        named = [stage for _, line in commands() for stage in re.findall(r"--target (\w+) --output", line)]
        self.assertTrue(named)
        self.assertLessEqual(set(named), set(stages))

    def test_every_action_is_pinned_to_a_commit(self):
        for workflow in WORKFLOWS:
            for line in workflow.read_text().splitlines():
                if "uses:" in line and "./.github/" not in line:
                    self.assertRegex(line, r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", workflow.name)

    def test_they_may_no_more_than_they_need_and_end(self):
        for workflow in WORKFLOWS:
            self.assertEqual(yaml.safe_load(workflow.read_text())["permissions"], {"contents": "read"}, workflow.name)
        for name, job in jobs():
            if "uses" not in job:
                self.assertIn("timeout-minutes", job, name)

    def test_no_registry_is_named_and_no_secret_but_its_password(self):
        for workflow in WORKFLOWS:
            text = workflow.read_text()
            self.assertNotRegex(text, r"ghcr\.io|docker\.io|quay\.io|gcr\.io", workflow.name)
            self.assertLessEqual(set(re.findall(r"secrets\.(\w+)", text)), {"REGISTRY_PASSWORD"}, workflow.name)


class ReleaseNotes(unittest.TestCase):
    """scripts/release-notes in a copy of what it reads."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for path in ["scripts/release-notes", "Cargo.toml", "helm/wxgate/Chart.yaml"]:
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, self.root / path)
        self.version = re.search(r'(?m)^version = "(.*)"', (ROOT / "Cargo.toml").read_text())[1]
        self.changelog = f"# Changelog\n\n## [Unreleased]\n\n- later\n\n## [{self.version}] - 2026-12-01\n\n- now\n\n## [0.0.1]\n\n- before\n"

    def notes(self, version):
        (self.root / "CHANGELOG.md").write_text(self.changelog)
        return run(self.root / "scripts" / "release-notes", version)

    def test_they_are_the_section_of_the_version(self):
        self.assertEqual(self.notes(self.version).stdout.strip(), "- now")

    def test_what_is_missing_is_said(self):
        self.assertIn("Cargo.toml has another version", self.notes("9.9.9").stderr)
        self.changelog = "# Changelog\n\n## [Unreleased]\n\n- later\n"
        self.assertIn("rename Unreleased", self.notes(self.version).stderr)
        chart = self.root / "helm" / "wxgate" / "Chart.yaml"
        chart.write_text(chart.read_text().replace(f"\nversion: {self.version}", "\nversion: 9.9.9"))
        self.assertIn("Chart.yaml has another version", self.notes(self.version).stderr)


class Commits(unittest.TestCase):
    """cliff.toml, in a history of its own."""

    def test_every_commit_since_the_release_before_is_listed(self):
        with tempfile.TemporaryDirectory() as root:
            def git(*arguments):
                identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
                self.assertEqual(run("git", *identity, *arguments, cwd=root).returncode, 0, arguments)

            git("init", "--quiet")
            for version, subjects in [("v0.1.0", ["Begin"]), ("v0.2.0", ["Add a thing", "Mend: it"])]:
                for subject in subjects:
                    git("commit", "--quiet", "--allow-empty", "--message", f"{subject}\n\nA body.")
                git("tag", version)
            done = run(TOOLS / "git-cliff", "--config", ROOT / "cliff.toml", "--latest", cwd=root)
        self.assertEqual(done.returncode, 0, done.stderr)
        listed = re.sub(r" \([0-9a-f]{7}\)", "", done.stdout).split("\n")
        self.assertEqual([line for line in listed if line], ["## Commits", "- Mend: it", "- Add a thing"])


def in_context():
    return [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]


class Dockerfile(unittest.TestCase):
    def test_the_linter_has_no_complaint(self):
        done = run(TOOLS / "hadolint", DOCKERFILE)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_image_runs_as_nobody_with_no_shell_and_says_how_it_is(self):
        last = DOCKERFILE.read_text().split("\nFROM ")[-1]
        self.assertTrue(last.startswith("scratch\n"))
        self.assertIn("\nUSER 65532:65532\n", last)
        self.assertNotIn("\nRUN ", last)
        self.assertRegex(last, r'\nHEALTHCHECK .* CMD \["/usr/bin/wxgate", "health"')

    def test_the_context_holds_what_a_profiled_build_runs(self):
        self.assertLessEqual({"Makefile", "scripts", "bench"}, set(in_context()))

    def test_the_context_holds_what_is_compiled_in(self):
        allowed = in_context()
        for source in (ROOT / "src").rglob("*.rs"):
            for path in re.findall(r'include_(?:str|bytes)!\("((?:\.\./)+[^"]+)"\)', source.read_text().split("#[cfg(test)]")[0]):
                found = (source.parent / path).resolve().relative_to(ROOT)
                self.assertIn(found.parts[0], allowed, f"{source} includes {path}")


if __name__ == "__main__":
    unittest.main()
