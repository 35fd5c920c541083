"""What every whole-process test may ask for: a node of its own, with its data in a folder of its own."""
import resource

import pytest

from cluster import Cluster
from node import CLEAT, Node


def pytest_configure(config):
    if not CLEAT.exists():
        raise pytest.UsageError(f"{CLEAT} is not built: make build")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (131072, max(hard, 131072)))
    except (ValueError, OSError):  # may not be raised here: take what there is
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture
def started():
    """Nodes to be killed at the end; their logs are shown if the test failed."""
    nodes = []
    yield nodes
    for node in nodes:
        node.kill()
        print(f"--- log of {node.data.name}\n{node.log()[-8000:]}")


@pytest.fixture
def make_node(tmp_path, started):
    """Makes nodes with the options given."""

    def make(*options, name="data", **more):
        node = Node(tmp_path / name, *options, **more)
        started.append(node)
        return node.start()

    return make


@pytest.fixture
def node(make_node):
    return make_node()


@pytest.fixture
def connection(node):
    with node.connect() as connection:
        yield connection


@pytest.fixture
def unfounded(tmp_path):
    """A cluster of three of which no member was started."""
    made = Cluster(tmp_path)
    try:
        yield made
    finally:
        made.kill()
        print(made.logs())


@pytest.fixture
def cluster(unfounded):
    """Three members that serve."""
    return unfounded.start()


@pytest.fixture
def start_on(tmp_path, started):
    """Starts nodes whose data lies on the disk given, which must be there longer than they: ask for it before this."""

    def start(mounted, *options, data="data"):
        node = Node(mounted.path / data, *options)
        node.log_path = tmp_path / f"node{len(started)}.log"
        started.append(node)
        return node.start()

    return start
