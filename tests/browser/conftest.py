"""A JupyterLab server of our own and a real browser, for the widgets of the notebooks."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
# No sandbox: it cannot be set up as root or in most containers, and only pages of our own server
# are opened.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Server:
    """Start JupyterLab on a free port, all of its files in a folder that is thrown away."""

    def __init__(self, folder):
        self.root, self.log, self.token = (
            folder / "notebooks",
            folder / "lab.log",
            secrets.token_hex(16),
        )
        self.root.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = folder / "config"
        settings = config / "lab" / "user-settings" / "@jupyterlab" / "notebook-extension"
        settings.mkdir(parents=True)
        # Every cell is in the page, also those out of sight; nothing is asked about news.
        (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
        (config / "labconfig").mkdir()
        (config / "labconfig" / "page_config.json").write_text(
            json.dumps(
                {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
            )
        )
        home = {
            "HOME": "",
            "IPYTHONDIR": "ipython",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
        }
        env = os.environ | {name: str(folder / place) for name, place in home.items()}
        env |= {"JUPYTER_PREFER_ENV_PATH": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [
            sys.executable,
            "-m",
            "jupyter",
            "lab",
            "--no-browser",
            "--allow-root",
            "--ip=127.0.0.1",
            f"--port={self.port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={self.token}",
            f"--ServerApp.root_dir={self.root}",
            "--LabApp.extension_manager=readonly",
        ]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                env=env,
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ask(self, path, method="GET"):
        """Ask the server's API; None where the answer is empty."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}",
            method=method,
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def wait(self, seconds=60):
        """Wait until it answers, or fail with what it wrote."""
        for _ in range(4 * seconds):
            try:
                return self.ask("status")
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                if self.process.poll() is not None:
                    break
                time.sleep(0.25)
        pytest.fail(f"jupyter lab did not start:\n{self.log.read_text()[-3000:]}")

    def address(self, name):
        """Where the page of a notebook is, in a workspace of its own."""
        return f"http://127.0.0.1:{self.port}/lab/workspaces/{Path(name).stem}/tree/{name}?token={self.token}"

    def stop_kernels(self):
        """Give their memory back before the next notebook."""
        for kernel in self.ask("kernels"):
            self.ask(f"kernels/{kernel['id']}", "DELETE")

    def stop(self):
        """Stop the server and, if it will not, everything it started."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(15)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    lab = Server(tmp_path_factory.mktemp("lab"))
    try:
        lab.wait()
        yield lab
    finally:
        lab.stop()


@pytest.fixture(scope="session")
def browser():
    if shutil.which(CHROMIUM) is None:
        pytest.fail(
            f"No browser at {CHROMIUM}: install it (Debian, Ubuntu: apt-get install chromium) or "
            "name another, as in "
            "make browser CHROMIUM=/usr/bin/google-chrome"
        )
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.fail("playwright is missing: make env installs it, or pip install -e '.[browser]'")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, server):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(60_000)
    yield page
    page.close()
    server.stop_kernels()
