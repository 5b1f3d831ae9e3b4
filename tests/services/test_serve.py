"""``skyledger serve`` as somebody starts and stops it."""

import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from cli.serve import _listen


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.requirement("GEN-01")
def test_it_answers_at_the_address_it_names_until_it_is_stopped(service, port, tmp_path):
    environment = os.environ | {
        "SKYLEDGER_HOME": str(tmp_path),
        "SKYLEDGER_DATABASE_URL": service.dsn,
    }
    running = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "serve", "--port", str(port), "--sessions", "2"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        said = running.stdout.readline()
        assert f"http://127.0.0.1:{port}/tap/prompt" in said
        end = time.monotonic() + 60
        while True:
            try:
                landing = httpx.get(f"http://127.0.0.1:{port}/")
                break
            except httpx.TransportError:
                assert running.poll() is None, running.stderr.read()
                assert time.monotonic() < end
                time.sleep(0.1)
        assert landing.status_code == 200
        assert f"http://127.0.0.1:{port}/tap/prompt" in landing.text
        assert landing.headers["server"].startswith("Skyledger/")
        found = httpx.get(
            f"http://127.0.0.1:{port}/tap/prompt/sync",
            params={"LANG": "ADQL", "QUERY": "SELECT COUNT(*) AS n FROM Visit", "FORMAT": "csv"},
        )
        assert found.text.split()[0] == "n"
    finally:
        running.send_signal(signal.SIGTERM)
        _, errors = running.communicate(timeout=30)
    assert running.returncode in {0, -signal.SIGTERM}
    assert "Traceback" not in errors


@pytest.mark.requirement("GEN-01")
def test_in_the_background_it_goes_on_until_it_is_stopped(service, port, tmp_path):
    environment = os.environ | {
        "SKYLEDGER_HOME": str(tmp_path / "home"),
        "SKYLEDGER_DATABASE_URL": service.dsn,
    }

    def serve(*options):
        return subprocess.run(
            [sys.executable, "-m", "cli.main", "serve", *options],
            env=environment, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip

    where = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(2):  # the second takes the place of the first
            done = serve("--background", f"--port={port}", "--sessions=2")
            assert done.returncode == 0, done.stderr
            assert where in done.stdout
            assert httpx.get(where, timeout=30).status_code == 200
        with socket.create_server(("127.0.0.1", 0)) as taken:
            used = taken.getsockname()[1]
            done = serve("--background", f"--port={used}")
        assert done.returncode == 3
        assert f"port {used} of 127.0.0.1 cannot be used" in done.stderr
    finally:
        serve("--stop")
    with pytest.raises(httpx.ConnectError):
        httpx.get(where)
    assert "was not running" in serve("--stop").stdout


@pytest.mark.requirement("UGP-06")
@pytest.mark.parametrize("trusted", [False, True])
def test_the_address_that_a_proxy_states_counts_only_where_it_is_believed(
    service, port, tmp_path, trusted
):
    environment = os.environ | {
        "SKYLEDGER_HOME": str(tmp_path), "SKYLEDGER_DATABASE_URL": service.dsn,
    }  # fmt: skip
    proxy = ["--proxy", "127.0.0.1"] if trusted else []
    running = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "serve", "--port", str(port),
         "--anonymous-per-minute", "2", *proxy],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert "answers at" in running.stdout.readline()
        with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=60) as client:
            asked = {"LANG": "ADQL", "QUERY": "SELECT COUNT(*) AS n FROM Visit"}
            found = [
                client.get(
                    f"http://127.0.0.1:{port}/tap/prompt/sync", params=asked,
                    headers={"X-Forwarded-For": f"10.0.0.{k}"},
                ).status_code
                for k in (1, 2, 3, 1, 1)
            ]  # fmt: skip
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(timeout=30)
        running.stdout.close()
    assert found == ([200] * 4 + [429] if trusted else [200] * 2 + [429] * 3)


def test_a_port_in_use_is_said_to_be(service, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "serve", "--port", str(port)],
            env=os.environ | {
        "SKYLEDGER_HOME": str(tmp_path), "SKYLEDGER_DATABASE_URL": service.dsn,
    },
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert f"port {port} of 127.0.0.1 cannot be used" in done.stderr
    assert "--port" in done.stderr


def test_small_answers_are_sent_at_once():
    """Connections take it over from the listener; else each answer waits 40 ms for the client."""
    with (
        _listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
