"""A real JupyterLab on a copy of the course, and a headless Chromium to use it with."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        if os.environ.get("THREADVIZ_REQUIRE_BROWSER"):
            pytest.fail("THREADVIZ_REQUIRE_BROWSER is set, but there is no chromium on PATH")
        pytest.skip("no chromium on PATH: install it to run the browser tests")
    return found


@pytest.fixture(autouse=True)
def everything_is_put_back():
    """Nothing runs in this process: the kernels are JupyterLab's."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Where the server's notebooks are; tests may add their own."""
    copy = tmp_path_factory.mktemp("course")
    for path in (ROOT / "notebooks").glob("*"):
        if path.is_file():
            shutil.copy(path, copy)
    return copy


@pytest.fixture(scope="session")
def lab(folder, tmp_path_factory):
    """The address of a JupyterLab as `make lab` starts it, as a function of a notebook's name."""
    with _serving(folder, tmp_path_factory.mktemp("home"), {"JUPYTER_CONFIG_PATH": str(ROOT / ".jupyter")}) as address:
        yield address


@pytest.fixture(scope="session")
def plain_lab(folder, tmp_path_factory):
    """The same for a JupyterLab that somebody starts without `make`, where the package is installed."""
    with _serving(folder, tmp_path_factory.mktemp("home"), {}) as address:
        yield address


@contextmanager
def _serving(folder, home, configuration):
    browser_is_there = chromium()
    assert browser_is_there
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", f"--port={port}", "--ServerApp.port_retries=0"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}", "--ServerApp.ip=127.0.0.1"]
    command += ["--LabApp.expose_app_in_browser=True"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    environment = {
        **os.environ,
        **configuration,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/status?token={token}", server, home / "server.log")
            yield lambda name: f"http://127.0.0.1:{port}/lab/tree/{name}?reset&token={token}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for(address, server, log):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests."""
    from playwright.sync_api import sync_playwright

    path = chromium()
    with sync_playwright() as playwright:
        # without scrollbars no test could see one where none belongs
        shown = ["--hide-scrollbars"]
        chrome = playwright.chromium.launch(executable_path=path, args=FLAGS, ignore_default_args=shown)
        yield chrome
        chrome.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.alerts = []
    page.on("dialog", lambda dialog: (page.alerts.append(dialog.message), dialog.dismiss()))
    yield page
    context.close()
