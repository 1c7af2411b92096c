"""Every upstream image, pinned by tag and digest: the one table.

A digest is that of the multi-platform index, so the same reference serves every architecture. To upgrade, change
tag and digest together (`docker buildx imagetools inspect REPOSITORY:TAG` prints the digest).
"""

HAPROXY = "haproxy:3.2@sha256:e2b397cdbd612221cf79dec325690139d00a78b4ce4eae065530fbc81e1f6192"
"""The Debian flavour: the edge's health check needs its bash."""

PYTHON = "python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b"
"""Base of the file service's image."""
