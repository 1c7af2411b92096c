"""Every upstream image, pinned by tag and digest.

Each digest is that of the multi-platform index, so the same reference works on every architecture. To upgrade an image,
change its tag and digest together (`docker buildx imagetools inspect REPOSITORY:TAG` prints the digest).
"""

ALERTMANAGER = "prom/alertmanager:v0.28.1@sha256:27c475db5fb156cab31d5c18a4251ac7ed567746a2483ff264516437a39b15ba"

CADVISOR = "ghcr.io/google/cadvisor:v0.60.5@sha256:763aecf1c32c2be8a1a75f9abfc2fc461005c9dbbaa39cb356b354aac1296dbe"

DEBIAN = "debian:trixie-slim@sha256:a29215f6a35e51e22adffa17f89e9d2ef06214e64a2bad10d765c46aea49f11f"
"""The base of two images with Debian's packages: the index's with PostgreSQL, Patroni and etcd, and the firewall's with
nft. The lab's image has all these packages. Another release may have another major version of PostgreSQL, which is in
components/patroni.py."""

GRAFANA = "grafana/grafana:12.3.1@sha256:2175aaa91c96733d86d31cf270d5310b278654b03f5718c59de12a865380a31f"

HAPROXY = "haproxy:3.2@sha256:e2b397cdbd612221cf79dec325690139d00a78b4ce4eae065530fbc81e1f6192"
"""The Debian variant, because the edge's health check needs bash."""

INFLUXDB = "influxdb:1.8.10@sha256:299ebda2c7e308dbef42e26ac9b8fd1d9b3bcb8a0aee80c6509aa0219c1d0290"
"""The Debian variant of 1.x, because 2.x and 3.x do not accept Prometheus's remote write."""

NODE_EXPORTER = "prom/node-exporter:v1.9.1@sha256:d00a542e409ee618a4edc67da14dd48c5da66726bbd5537ab2af9c1dfc442c8a"

PROMETHEUS = "prom/prometheus:v2.53.5@sha256:7a34573f0b9c952286b33d537f233cd5b708e12263733aa646e50c33f598f16c"
"""The lab's tests run the same release."""

SEAWEEDFS = "chrislusf/seaweedfs:4.48@sha256:4e61d15fd35994cb1e43e1e553dff106794841fd9a99ade2fc8c8bfce4d7872d"
"""The lab and the tests run the same release."""

PYTHON = "python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b"
"""The base of the file service's image."""
