"""HAProxy's configuration for the edge. It keeps one client from using up what all clients share."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from .mounts import SECRETS
from .sha512_crypt import sha512_crypt

CERTIFICATE = "edge.pem"
HEALTH_PORT = 8404

_CONNECTIONS = 4096
_FURTHER_CONNECTIONS = 128  # of each console and each database
_HEALTH_CONNECTIONS = 16
_PIPES = 512
"""How many bodies the kernel moves at the same time, in a pipe of up to 64 KiB each. HAProxy copies all others."""

_FORM_BYTES = 2**20  # allowance for what a multipart form adds around the file
_SLOTS = 64
"""The edge reserves slots for replicas in steps of this many, so that scaling within a step does not change it."""

_SILENT_SECONDS = 15
"""How long a replica may be silent on a connection. A killed one does not always close its connections. One that is
alive may stop reading for as long as it tries to store a chunk."""

_HSTS_SECONDS = 365 * 24 * 3600

_SECURE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}
"""The headers of the edge's own responses on the public port. The service gives its own the same."""

_CONSOLE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "SAMEORIGIN"}
"""The headers of everything that only the operator sees."""

_TEXT = "content-type text/plain string"

_NO_OTHER_SITES = f"""
  # A browser adds the operator's password also to requests that another site's page makes it send.
  acl reads method GET HEAD OPTIONS
  acl of_a_page req.hdr(origin) -m found
  http-request set-var(txn.host) req.hdr(host)
  acl of_this_page req.hdr(origin),regsub(^https?://,),strcmp(txn.host) eq 0
  acl of_another_site req.hdr(sec-fetch-site) cross-site same-site
  http-request return status 403 {_TEXT} "error: another page has sent this\\n" if !reads of_a_page !of_this_page
  http-request return status 403 {_TEXT} "error: another page has sent this\\n" if !reads of_another_site"""

_OPERATOR_ONLY = "\n  http-request auth realm operator unless { http_auth(operators) }"

# What an InfluxDB says of itself, some of it without a password, stays inside.
_READS_AND_WRITES_ONLY = f"""
  http-request return status 404 {_TEXT} "error: this path is not public\\n" if !{{ path /query /write /ping }}"""


_EDGES_A_SECOND = 10
"""The most edges that check each replica in a second."""


def check_seconds(edges: int) -> int:
    """Return the interval at which each edge checks every replica, in seconds.

    It grows with the number of edges, in steps, so that a replica answers no more than ten checks a second.
    """
    return 1 << (-(-edges // _EDGES_A_SECOND) - 1).bit_length()


def drain_seconds(edges: int) -> int:
    """Return for how many seconds a replica that shuts down must accept requests: until every edge knows of it."""
    return check_seconds(edges) + 2


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one address may use of one edge.

    `connections` at a time, and as many requests at a time; `requests` in 10 seconds; `errors` in 10 seconds, which are
    requests that were refused with a status of 400 to 499. A whole office can have one address.
    """

    connections: int = 256
    requests: int = 50_000
    errors: int = 1000


def haproxy_users(password: str, *, deployment: str) -> str:
    """Return HAProxy's user list, with the operator as its only user and the hash of the password.

    The salt is derived from the name of the `deployment`, so that the list stays the same until the password changes.
    HAProxy hashes the password anew for each request, so the hash has the fewest rounds that are allowed. The password
    is long.
    """
    salt = hashlib.sha256(f"operator of {deployment}".encode()).hexdigest()[:16]
    return f"userlist operators\n  user operator password '{sha512_crypt(password, salt, rounds=1000)}'\n"


def haproxy_config(
    *,
    port: int,
    backend: str,
    backend_port: int,
    status_port: int,
    replicas: int,
    max_file_bytes: int,
    edges: int = 1,
    limits: Limits | None = None,
    consoles: Mapping[int, str] | None = None,
    databases: Mapping[int, str] | None = None,
    statistics_port: int | None = None,
    tls: bool = False,
) -> str:
    """Return HAProxy's configuration.

    It has a public frontend, replicas that are found by DNS and checked at `status_port`, a health port for the
    container, the databases, and for the operator the consoles and the statistics. Each has a number of connections of
    its own, so that the public cannot take those of the health check. `edges` is how many edges check the replicas.

    A request whose Content-Length is too large is refused before its body is sent. Without a Content-Length, the
    service counts the bytes itself.
    """
    hsts = {"Strict-Transport-Security": f"max-age={_HSTS_SECONDS}"} if tls else {}
    bind = f" ssl crt {SECRETS}/{CERTIFICATE} alpn h2,http/1.1" if tls else ""
    limited = _limited(limits or Limits())
    operator_rules = _headers({**_CONSOLE, **hsts}) + limited + _NO_OTHER_SITES + _OPERATOR_ONLY
    further = [_listen("console", own, target, bind, operator_rules) for own, target in (consoles or {}).items()]
    if statistics_port:
        further.append(_statistics(statistics_port, bind, operator_rules))
    database_rules = _headers(hsts) + limited + _READS_AND_WRITES_ONLY
    further += [_listen("database", own, target, bind, database_rules) for own, target in (databases or {}).items()]
    slots = -(-replicas // _SLOTS) * _SLOTS
    return f"""global
  log stdout format raw local0 info
  maxconn {_CONNECTIONS + _HEALTH_CONNECTIONS + _FURTHER_CONNECTIONS * len(further)}
  maxpipes {_PIPES}
  hard-stop-after 25s
  ssl-default-bind-options ssl-min-ver TLSv1.2
  tune.h2.max-concurrent-streams 32
  .if version_atleast(3.0)
    # Close a connection with this many protocol violations, such as streams that are reset at once.
    tune.h2.fe.glitches-threshold 1000
  .endif

defaults
  mode http
  log global
  option httplog
  option dontlognull
  option redispatch
  retries 3
  retry-on conn-failure
  timeout connect 5s
  timeout http-request 10s
  timeout http-keep-alive 15s
  timeout client 120s
  timeout server 120s
  # Without TLS, the kernel moves bodies from one connection to the other, for a third of the CPU time of copying them.
  option splice-request
  option splice-response
  option srvtcpka
  srvtcpka-idle 3s
  srvtcpka-intvl 2s
{_error_responses()}
resolvers docker
  nameserver dns 127.0.0.11:53
  accepted_payload_size 8192
  resolve_retries 3
  timeout resolve 1s
  timeout retry 1s
  hold valid 1s
  hold nx 1s
  hold other 1s
  # An engine that hangs answers no query. The health checks still find the replicas that are gone.
  hold timeout 1h
  hold obsolete 2s

# How many connections and requests each address has open, and how many requests it sent in the last 10 seconds.
backend connections
  stick-table type ip size 20k expire 30s store conn_cur

backend requests
  stick-table type ip size 20k expire 30s store conn_cur,http_req_rate(10s),http_err_rate(10s)

frontend public
  bind :{port}{bind}
  maxconn {_CONNECTIONS}
{_headers(_SECURE, unless_set=True)}{_headers(hsts)}{limited}
  unique-id-format %[uuid()]
  http-request set-header X-Request-ID %[unique-id]
  http-request set-header X-Forwarded-For %[src]
  http-response set-header X-Request-ID %[unique-id]
  # Only names of files need to be encoded. Any other encoded path would be one path here and another in the service.
  acl encoded path_sub %
  acl of_a_file path_beg /files/
  http-request return status 400 {_TEXT} "error: this path needs no percent encoding\\n" if encoded !of_a_file
  acl too_large req.hdr(content-length),add(-{max_file_bytes + _FORM_BYTES}) -m int gt 0
  http-request return status 413 {_TEXT} "error: the file is too large\\n" if too_large
  # A small body is passed on once all of it has arrived. A replica reads larger ones as they arrive.
  http-request wait-for-body time 10s if {{ path /download }} or !{{ method PUT POST PATCH }}
  default_backend replicas

backend replicas
  balance leastconn
  option httpchk GET /readyz
  http-check expect status 200
  default-server resolvers docker init-addr none
  default-server check port {status_port} inter {check_seconds(edges)}s fastinter 1s fall 2 rise 1
  default-server tcp-ut {_SILENT_SECONDS}s
  server-template replica 1-{slots} tasks.{backend}:{backend_port}

frontend health
  bind 127.0.0.1:{HEALTH_PORT}
  maxconn {_HEALTH_CONNECTIONS}
  monitor-uri /healthz
{"".join(further)}"""


def _headers(headers: Mapping[str, str], *, unless_set: bool = False) -> str:
    """Return the rules that give every response these headers, including the edge's own."""
    return "".join(
        f'  http-after-response set-header {name} "{value}"'
        + (f" unless {{ res.fhdr({name}) -m found }}\n" if unless_set else "\n")
        for name, value in headers.items()
    )


def _error_responses() -> str:
    """Return the edge's own error responses, each one line of text like the file service's."""
    reasons = {
        408: "the request did not come in time",
        502: "the replica has gone away: try again",
        503: "no replica is ready: try again in a moment",
        504: "the replica does not answer: try again in a moment",
    }
    return "".join(
        f'  http-error status {status} {_TEXT} "error: {reason}\\n" hdr Retry-After 5\n'
        for status, reason in reasons.items()
    )


def _limited(limits: Limits) -> str:
    """Return the rules that refuse an address more than its share. They are cheap, and come before all others."""
    return f"""  tcp-request connection track-sc0 src table connections
  tcp-request connection reject if {{ sc0_conn_cur gt {limits.connections} }}
  http-request track-sc1 src table requests
  acl busy sc1_conn_cur gt {limits.connections}
  acl busy sc1_http_req_rate gt {limits.requests}
  acl busy sc1_http_err_rate gt {limits.errors}
  http-request return status 429 {_TEXT} "error: too many requests from your address\\n" hdr Retry-After 10 if busy"""


def _listen(kind: str, port: int, target: str, bind: str, rules: str) -> str:
    return f"""
listen {kind}-{port}
  bind :{port}{bind}
  maxconn {_FURTHER_CONNECTIONS}
{rules}
  server {kind} {target} resolvers docker init-addr none
"""


def _statistics(port: int, bind: str, rules: str) -> str:
    return f"""
frontend statistics
  bind :{port}{bind}
  maxconn {_FURTHER_CONNECTIONS}
{rules}
  stats enable
  stats uri /
"""
