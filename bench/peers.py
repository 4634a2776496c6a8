"""What people would use instead, and the yardsticks."""

import base64
import json

from contestant import PATH, RELEASE, ROOT, SHARED_SECRET, WHO_PATH, Contestant

# The binary of the package, and not its Python wrapper.
ENVOY = next((ROOT / "target" / "envoy").glob("lib/python*/site-packages/envoy/_bin/envoy"), ROOT / "target/envoy/envoy")


class Upstream(Contestant):
    """The business service: nginx with one worker. Measured as `direct`, it is what every proxy adds to."""

    name = "upstream"

    def start(self, processes, upstream=None):
        start_nginx(self, processes, 1, f"""
            location = {PATH} {{ default_type text/plain; return 200 "{'x' * 1024}"; }}
            location = {WHO_PATH} {{ default_type text/plain; return 200 "$http_x_wx_openid"; }}
            location / {{ default_type text/plain; return 200 "{'x' * 1024}"; }}
        """)


class Direct(Contestant):
    name = "direct"

    def start(self, processes, upstream):
        self.port, self.pid, self.command = upstream.port, upstream.pid, upstream.command


class Nginx(Contestant):
    """nginx as a plain proxy."""

    name = "nginx"

    def start(self, processes, upstream):
        start_nginx(self, processes, self.threads, """
            location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }
        """, f"upstream backend {{ server 127.0.0.1:{upstream.port}; keepalive 256; keepalive_requests 1000000000; }}")


class Bare(Contestant):
    """pingora with nothing added: the yardstick."""

    name = "bare"

    def start(self, processes, upstream):
        addresses = f"127.0.0.1:{self.port}", f"127.0.0.1:{upstream.port}"
        tls = ("--tls", self.certificate / "tls.crt", self.certificate / "tls.key") if self.certificate else ()
        self.run(processes, RELEASE / "bare-pingora", *addresses, "--threads", self.threads, *tls)


class Haproxy(Contestant):
    """HAProxy that verifies the same token, its end included, and sets the same header. No log."""

    name = "haproxy"
    authenticates = True

    def start(self, processes, upstream):
        tls = f"ssl crt {self.certificate / 'tls.pem'} alpn h2,http/1.1" if self.certificate else ""
        config = processes.folder / f"{self.name}.cfg"
        config.write_text(f"""
global
    nbthread {self.threads}
    maxconn 30000
    no strict-limits
defaults
    mode http
    timeout connect 1s
    timeout client 1h
    timeout server 30s
    http-reuse always
frontend front
    bind 127.0.0.1:{self.port} {tls}
    http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')
    http-request set-var(txn.iss) http_auth_bearer,jwt_payload_query('$.iss')
    http-request set-var(txn.exp) http_auth_bearer,jwt_payload_query('$.exp','int')
    http-request set-var(txn.sub) http_auth_bearer,jwt_payload_query('$.sub')
    http-request set-var(txn.now) date()
    http-request deny deny_status 401 unless {{ var(txn.alg) -m str HS256 }} {{ var(txn.iss) -m str wxgate }}
    http-request deny deny_status 401 unless {{ http_auth_bearer,jwt_verify(txn.alg,"{SHARED_SECRET}") -m int 1 }}
    http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}
    http-request del-header authorization
    http-request set-header x-wx-openid %[var(txn.sub)]
    default_backend back
backend back
    server upstream 127.0.0.1:{upstream.port}
""")
        self.run(processes, "haproxy", "-db", "-f", config)


class Envoy(Contestant):
    """Envoy with jwt_authn and claim_to_headers. No access log. It caches no verdict unless told to, and is not."""

    name = "envoy"
    authenticates = True

    def start(self, processes, upstream):
        config = processes.folder / f"{self.name}.json"
        config.write_text(json.dumps({"static_resources": {
            "listeners": [self.listener()], "clusters": [self.cluster(upstream)],
        }}))
        options = "--concurrency", self.threads, "--disable-hot-restart", "-l", "error"
        self.run(processes, ENVOY, "-c", config, *options)

    def listener(self):
        route = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "back"}}]}
        manager = typed("filters.network.http_connection_manager.v3.HttpConnectionManager", {
            "stat_prefix": "front",
            "route_config": {"virtual_hosts": [route]},
            "http_filters": [
                {"name": "envoy.filters.http.jwt_authn", "typed_config": self.jwt_authn()},
                {"name": "envoy.filters.http.router", "typed_config": typed("filters.http.router.v3.Router", {})},
            ],
        })
        chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        if self.certificate:
            files = {"certificate_chain": "tls.crt", "private_key": "tls.key"}
            files = {key: {"filename": str(self.certificate / name)} for key, name in files.items()}
            context = {"alpn_protocols": ["h2", "http/1.1"], "tls_certificates": [files]}
            context = typed("transport_sockets.tls.v3.DownstreamTlsContext", {"common_tls_context": context})
            chain["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}
        return {"name": "front", "address": address(self.port), "filter_chains": [chain]}

    def jwt_authn(self):
        key = base64.urlsafe_b64encode(SHARED_SECRET.encode()).decode().rstrip("=")
        # Without a kid it is tried for all.
        jwks = json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "k": key}]})
        provider = {
            "issuer": "wxgate",
            "local_jwks": {"inline_string": jwks},
            "claim_to_headers": [{"header_name": "x-wx-openid", "claim_name": "sub"}],
        }
        rules = [{"match": {"prefix": "/"}, "requires": {"provider_name": "wxgate"}}]
        return typed("filters.http.jwt_authn.v3.JwtAuthentication", {"providers": {"wxgate": provider}, "rules": rules})

    def cluster(self, upstream):
        endpoint = {"endpoint": {"address": address(upstream.port)}}
        limits = {"thresholds": [{"max_connections": 30000, "max_pending_requests": 30000, "max_requests": 30000}]}
        return {
            "name": "back", "type": "STATIC", "connect_timeout": "1s", "circuit_breakers": limits,
            "load_assignment": {"cluster_name": "back", "endpoints": [{"lb_endpoints": [endpoint]}]},
        }


def typed(name, fields):
    return {"@type": f"type.googleapis.com/envoy.extensions.{name}"} | fields


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def start_nginx(contestant, processes, workers, server, http=""):
    folder = processes.folder / contestant.name
    folder.mkdir()
    tls = contestant.certificate
    files = f"ssl_certificate {tls / 'tls.crt'}; ssl_certificate_key {tls / 'tls.key'};" if tls else ""
    # Everything is inside the folder, so that it runs without root; and no connection ends after a number of requests.
    (folder / "nginx.conf").write_text(f"""
        daemon off; worker_processes {workers}; worker_rlimit_nofile 65536; pid nginx.pid; error_log stderr warn;
        events {{ worker_connections 32768; }}
        http {{
            access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
            {http}
            server {{ listen 127.0.0.1:{contestant.port} backlog=4096 {'ssl http2' if tls else ''}; {files} {server} }}
        }}
    """)
    contestant.run(processes, "nginx", "-p", folder, "-e", "stderr", "-c", "nginx.conf")
