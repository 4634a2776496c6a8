"""What the chart and the kustomizations promise. Run by scripts/test-deploy, which brings the tools.

Each object is validated against the schemas of three versions of Kubernetes; those of other API groups (Prometheus operator,
Gateway API) are not in them, and are looked at by hand below.
"""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "wxgate"
VERSIONS = ["1.29", "1.33", "1.36"]
NEWEST = VERSIONS[-1]
FOREIGN = ("monitoring.coreos.com/", "gateway.networking.k8s.io/")
LEAST = CHART / "ci" / "gateway-minimal-values.yaml"


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def template(*arguments, chart=CHART):
    """The objects that `helm template` makes."""
    done = run("helm", "template", "release", chart, "--kube-version", NEWEST, *arguments)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return [it for it in yaml.safe_load_all(done.stdout) if it]


def refusal(*arguments):
    """The sentence with which helm ends."""
    done = run("helm", "template", "release", CHART, "--kube-version", NEWEST, *arguments)
    assert done.returncode != 0, "it was taken"
    return done.stderr


def of_kind(objects, kind):
    found = [it for it in objects if it["kind"] == kind]
    assert len(found) == 1, f"{len(found)} of {kind}"
    return found[0]


def pod_of(objects, name="wxgate"):
    """The pod template of the Deployment."""
    deployments = [it for it in objects if it["kind"] == "Deployment" and it["metadata"]["name"].endswith(name)]
    assert len(deployments) == 1, objects
    return deployments[0]["spec"]["template"]["spec"]


def gateway_of(pod):
    containers = pod["containers"] + (pod.get("initContainers") or [])
    found = [it for it in containers if it["name"] == "wxgate"]
    assert len(found) == 1, containers
    return found[0]


def parent_with_sidecar(values):
    """A user's chart that has wxgate as a dependency, rendered."""
    with tempfile.TemporaryDirectory() as folder:
        chart = pathlib.Path(folder) / "shop"
        shutil.copytree(ROOT / "tests" / "deploy" / "parent", chart)
        shutil.copytree(CHART, chart / "charts" / "wxgate")
        merged = chart / "merged.yaml"
        merged.write_text(yaml.safe_dump({"wxgate": yaml.safe_load(values.read_text())}))
        return template("-f", merged, chart=chart)


class Validated(unittest.TestCase):
    def valid(self, objects):
        for found in objects:
            if found["apiVersion"].startswith(FOREIGN):
                continue
            for version in VERSIONS:
                with self.subTest(kind=found["kind"], version=version):
                    kubernetes_validate.validate(found, version, strict=True)

    def restricted(self, pod):
        """The restricted profile of the Pod Security Standards."""
        container = gateway_of(pod)
        context = {**pod["securityContext"], **container["securityContext"]}
        self.assertTrue(context["runAsNonRoot"])
        self.assertTrue(context["readOnlyRootFilesystem"])
        self.assertFalse(context["allowPrivilegeEscalation"])
        self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
        self.assertEqual(context["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertEqual(container["livenessProbe"]["httpGet"]["path"], "/livez")
        self.assertEqual(container["readinessProbe"]["httpGet"]["path"], "/readyz")
        self.assertFalse([it for it in container["volumeMounts"] if "subPath" in it], "a subPath never follows a change")


class Chart(Validated):
    def test_every_values_file_lints_and_gives_valid_objects(self):
        files = sorted((CHART / "ci").glob("*.yaml"))
        self.assertGreaterEqual(len(files), 12)
        for values in files:
            with self.subTest(values=values.name):
                lint = run("helm", "lint", "--strict", "--kube-version", NEWEST, "-f", values, CHART)
                self.assertEqual(lint.returncode, 0, lint.stdout)
                self.valid(template("-f", values))

    def test_a_wrong_object_is_noticed(self):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"nam": "a"}]}}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(pod, NEWEST, strict=True)

    def test_an_unknown_key_is_refused_by_its_name(self):
        self.assertIn("replicaCount", refusal("-f", LEAST, "--set", "replicaCount=3"))

    def test_without_secrets_it_says_what_belongs_in_one(self):
        self.assertIn("AppSecret", refusal("-f", LEAST, "--set", "secrets.env=null"))

    def test_without_a_configuration_it_says_how_to_give_one(self):
        self.assertIn("--set-file config.inline=gateway.toml", refusal("-f", LEAST, "--set", "config.inline="))

    def test_without_an_image_it_says_how_to_make_one(self):
        self.assertIn("deploy/Dockerfile", refusal("-f", LEAST, "--set", "image.repository="))

    def test_two_configurations_are_refused(self):
        self.assertIn("keep one", refusal("-f", LEAST, "--set", "config.existingConfigMap=other"))

    def test_a_configuration_that_listens_elsewhere_is_refused(self):
        self.assertIn("does not listen on port 8088", refusal("-f", LEAST, "--set", "ports.http=8088"))
        self.assertIn("no admin listener on port 9900", refusal("-f", LEAST, "--set", "ports.admin=9900"))

    def test_pods_are_of_the_restricted_profile_and_probed_on_the_admin_port(self):
        pod = pod_of(template("-f", LEAST))
        self.restricted(pod)
        self.assertFalse(pod["automountServiceAccountToken"])
        self.assertEqual(gateway_of(pod)["livenessProbe"]["httpGet"]["port"], "wxgate-admin")

    def test_the_grace_period_is_longer_than_the_drain(self):
        # [server] lame_duck and drain: 5 s and 20 s by default.
        self.assertGreater(pod_of(template("-f", LEAST))["terminationGracePeriodSeconds"], 25)

    def test_a_rollout_never_takes_a_pod_away_first(self):
        deployment = of_kind(template("-f", LEAST), "Deployment")
        self.assertEqual(deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0)

    def test_the_admin_port_is_in_no_service_that_clients_use(self):
        service = of_kind(template("-f", LEAST), "Service")
        self.assertEqual([it["targetPort"] for it in service["spec"]["ports"]], ["wxgate"])

    def test_a_changed_inline_configuration_changes_the_pods(self):
        def checksum(*more):
            deployment = of_kind(template("-f", LEAST, *more), "Deployment")
            return deployment["spec"]["template"]["metadata"]["annotations"]["checksum/wxgate-config"]

        with tempfile.NamedTemporaryFile("w", suffix=".toml") as other:
            other.write('# another\nlisten = ["0.0.0.0:8080"]\nlisten = "0.0.0.0:9901"\n')
            other.flush()
            self.assertNotEqual(checksum(), checksum("--set-file", f"config.inline={other.name}"))

    def test_with_autoscaling_the_number_of_pods_is_the_autoscalers(self):
        objects = template("-f", CHART / "ci" / "gateway-autoscaled-values.yaml")
        self.assertNotIn("replicas", of_kind(objects, "Deployment")["spec"])
        self.assertEqual(of_kind(objects, "HorizontalPodAutoscaler")["spec"]["minReplicas"], 3)

    def test_a_disruption_budget_never_holds_up_a_node_for_a_pod_that_is_not_ready(self):
        budget = of_kind(template("-f", LEAST), "PodDisruptionBudget")
        self.assertEqual(budget["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow")

    def test_a_network_policy_keeps_the_admin_port_for_who_is_named(self):
        policy = of_kind(template("-f", CHART / "ci" / "gateway-networkpolicy-values.yaml"), "NetworkPolicy")
        for rule in policy["spec"]["ingress"]:
            if rule["ports"][0]["port"] == 9901:
                self.assertTrue(rule["from"])

    def test_an_http_route_leads_to_the_service(self):
        route = of_kind(template("-f", CHART / "ci" / "gateway-httproute-values.yaml"), "HTTPRoute")
        self.assertEqual(route["spec"]["rules"][0]["backendRefs"][0]["name"], "release-wxgate")
        self.assertIn("parentRefs", refusal("-f", LEAST, "--set", "httpRoute.enabled=true"))

    def test_monitoring_finds_the_pods(self):
        objects = template("-f", CHART / "ci" / "gateway-monitoring-values.yaml")
        monitor = of_kind(objects, "ServiceMonitor")
        services = [it for it in objects if it["kind"] == "Service"]
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        found = [it for it in services if wanted <= it["metadata"]["labels"].items()]
        self.assertEqual([it["metadata"]["name"] for it in found], ["release-wxgate-admin"])
        self.assertIn(monitor["spec"]["endpoints"][0]["port"], [it["name"] for it in found[0]["spec"]["ports"]])
        sidecar = CHART / "ci" / "sidecar-minimal-values.yaml"
        self.assertIn("podSelector", refusal("-f", sidecar, "--set", "metrics.serviceMonitor.enabled=true"))

    def test_alerts_and_dashboard_are_those_of_the_repository(self):
        objects = template("-f", CHART / "ci" / "gateway-monitoring-values.yaml")
        alerts = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())
        self.assertEqual(of_kind(objects, "PrometheusRule")["spec"], alerts)
        dashboard = next(it for it in objects if it["metadata"]["name"].endswith("-dashboard"))
        self.assertEqual(dashboard["data"]["wxgate.json"].strip(), (ROOT / "deploy" / "grafana" / "wxgate.json").read_text().strip())


class Sidecar(Validated):
    def test_a_native_sidecar_is_an_init_container_that_goes_on(self):
        objects = parent_with_sidecar(CHART / "ci" / "sidecar-minimal-values.yaml")
        self.valid(objects)
        pod = pod_of(objects, "shop")
        self.assertEqual([it["name"] for it in pod["containers"]], ["shop"])
        sidecar = pod["initContainers"][0]
        self.assertEqual((sidecar["name"], sidecar["restartPolicy"]), ("wxgate", "Always"))
        self.assertIn("startupProbe", sidecar)
        self.restricted({**pod, "securityContext": {}})

    def test_before_1_29_it_is_a_plain_container(self):
        pod = pod_of(parent_with_sidecar(CHART / "ci" / "sidecar-inline-values.yaml"), "shop")
        self.assertEqual([it["name"] for it in pod["containers"]], ["shop", "wxgate"])
        self.assertFalse(pod["initContainers"])
        self.assertNotIn("restartPolicy", gateway_of(pod))

    def test_the_chart_alone_makes_no_pods_in_this_mode(self):
        objects = template("-f", CHART / "ci" / "sidecar-inline-values.yaml")
        self.assertEqual({it["kind"] for it in objects}, {"ConfigMap", "PodMonitor"})

    def test_in_gateway_mode_the_template_says_what_to_set(self):
        with self.assertRaisesRegex(AssertionError, "set wxgate.mode to sidecar"):
            parent_with_sidecar(LEAST)


class Kustomizations(Validated):
    def build(self, folder):
        done = run("kustomize", "build", folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        objects = [it for it in yaml.safe_load_all(done.stdout) if it]
        self.valid(objects)
        return objects

    def test_the_base_is_a_gateway(self):
        self.restricted(pod_of(self.build(ROOT / "deploy" / "kubernetes" / "gateway")))

    def test_the_example_has_the_sidecar_beside_the_service_and_the_service_behind_it(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(ROOT / "deploy" / "kubernetes", folder, dirs_exist_ok=True)
            example = pathlib.Path(folder) / "example"
            shutil.copy(example / "secrets.env.example", example / "secrets.env")
            objects = self.build(example)
        pod = pod_of(objects, "shop")
        self.restricted(pod)
        self.assertEqual(gateway_of(pod)["restartPolicy"], "Always")
        self.assertEqual([it["name"] for it in pod["containers"]], ["shop"])
        service = next(it for it in objects if it["kind"] == "Service" and it["metadata"]["name"] == "shop")
        self.assertEqual([it["targetPort"] for it in service["spec"]["ports"]], ["wxgate"])
        redis = pod_of(objects, "redis")
        self.assertNotIn("initContainers", redis)


if __name__ == "__main__":
    unittest.main()
