"""The suite's programs, in an environment with pinned versions."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time
import venv

from engines import Autobahn, Kosoku

# The last one that makes environments of Python 2.7.
VIRTUALENV = "virtualenv==20.21.1"


class Unavailable(Exception):
    """The suite cannot be had on this machine."""


def prepare(directory, wanted):
    """Installs an engine unless it is there: the one that was asked for, or the suite itself where Python 2.7 is there."""
    python2 = find_python2() if wanted != "kosoku" else None
    if wanted == "autobahn" and not python2:
        raise Unavailable("there is no Python 2.7: see tests/autobahn/README.md")
    kind = Autobahn if python2 else Kosoku
    directory = directory / kind.__name__.lower()
    base = python2 or sys.executable
    stamp = hashlib.sha256("\n".join([base, VIRTUALENV, *kind.pins]).encode()).hexdigest()
    python, stamp_file = directory / "env/bin/python", directory / "stamp"
    if not stamp_file.is_file() or stamp_file.read_text() != stamp:
        start = time.monotonic()
        make(directory, base if python2 else None, python, kind.pins)
        stamp_file.write_text(stamp)
        print(f"installed {kind.name} in {time.monotonic() - start:.0f} s", flush=True)
    return kind(python)


def make(directory, python2, python, pins):
    install = ["-m", "pip", "install", "-q", "--disable-pip-version-check"]
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    if python2:
        bootstrap = directory / "bootstrap"
        venv.create(bootstrap, with_pip=True)
        run(bootstrap / "bin/python", *install, VIRTUALENV)
        run(bootstrap / "bin/python", "-m", "virtualenv", "-q", "--no-periodic-update", "-p", python2, directory / "env")
    else:
        venv.create(directory / "env", with_pip=True)
    run(python, *install, "--no-deps", *pins)


def find_python2():
    """A Python 2.7 from AUTOBAHN_PYTHON, the PATH or pyenv."""
    named = os.environ.get("AUTOBAHN_PYTHON")
    root = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv"))
    installed = [str(path) for path in sorted(root.glob("versions/2.7*/bin/python"))]
    for python in [named] if named else ["python2.7", "python2", *installed]:
        # pyenv's `python2.7` may be there and know no Python 2.7.
        if version(python) == "2.7":
            return shutil.which(python)
    if named:
        raise Unavailable(f"{named} is no Python 2.7")
    return None


def version(python):
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        return subprocess.run([python, "-c", code], capture_output=True, timeout=30, check=True).stdout.decode().strip()
    except (OSError, subprocess.SubprocessError):
        return None


def run(*command):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    if result.returncode:
        sys.stderr.write(result.stdout.decode(errors="replace")[-4000:])
        raise Unavailable(f"it could not be installed: {' '.join(map(str, command[:5]))} ..")
