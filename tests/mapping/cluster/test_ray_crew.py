"""What is said of Ray before anything is started; no Ray is needed for it."""

import socket

import pytest

from terrashot.errors import ConfigError
from terrashot.mapping.cluster import ray_crew
from terrashot.mapping.cluster.ray_crew import check_ray


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    monkeypatch.setattr(ray_crew.importlib.util, "find_spec", lambda _: object())


@pytest.mark.parametrize("address", ["nowhere", "host:", "host:99999", "http://host:1/x", ""])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ConfigError, match="must be HOST:PORT"):
        check_ray(address)


def test_an_address_at_which_nothing_answers_is_said_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        check_ray(f"127.0.0.1:{port}")
        check_ray(f"ray://127.0.0.1:{port}")
    with pytest.raises(ConfigError, match=f"no Ray could be reached at 127.0.0.1:{port}"):
        check_ray(f"127.0.0.1:{port}")


def test_a_ray_of_its_own_needs_no_address():
    check_ray(None)
    check_ray("auto")


def test_why_a_worker_ended_is_one_line_without_secrets():
    died = RuntimeError(
        "The actor died.\n\tclass_name: RayMapWorker\nWorker exit type: SYSTEM_ERROR "
        "Worker exit detail: out of memory at https://a.org/b.tif?sig=secret"
    )
    assert ray_crew._reason(died) == "out of memory at https://a.org/b.tif?..."
    raised = RuntimeError("a traceback")
    raised.cause = ValueError("bad\nshape")
    assert ray_crew._reason(raised) == "bad shape"
