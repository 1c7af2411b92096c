"""The maintenance of one host under load, as an operator does it."""

from concurrent.futures import ThreadPoolExecutor

from cluster import Cluster
from load import Load
from outages import HOSTS, urls


def maintain(cluster: Cluster, host: str, *options: str) -> None:
    """Maintain one of the two hosts, with transfers through the other: no download fails, and nothing is lost."""
    (other,) = (name for name in HOSTS if name != host)
    load = Load()
    with ThreadPoolExecutor() as pool, load.running(cluster.url(other)):
        cluster.eventually(lambda: len(load.acknowledged) > 20, shown=load.described)
        maintained = pool.submit(cluster.operation, "maintain", host, *options)
        cluster.eventually(lambda: maintained.done() or not cluster.is_running(host), seconds=180)
        cluster.vagrant_up(host)
        said = maintained.result()

    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.splitlines()[-1] == f"== {host} done"
    assert [transfer for transfer in load.transfers if not transfer.upload and not transfer.ok] == []
    assert load.lost(*urls(cluster)) == []
    cluster.upload("after-maintenance", b"content", through=host)
    assert cluster.download("after-maintenance", back=other) == b"content"
    cluster.pulumi("preview", "--expect-no-changes")
