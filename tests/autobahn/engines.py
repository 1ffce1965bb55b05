"""The two programs that run the suite's cases, and how each is called."""

import json
import pathlib
import subprocess

# The suite is Python 2.7 code. This release says what it needs; the pins make that exact.
SUITE_PINS = """
    argparse==1.4.0 attrs==21.4.0 autobahn==0.10.9 autobahntestsuite==25.10.1 Automat==22.10.0 cffi==1.15.1
    constantly==15.1.0 cryptography==3.3.2 enum34==1.1.10 hyperlink==21.0.0 idna==2.10 incremental==16.10.1
    ipaddress==1.0.23 jinja2==2.11.3 klein==17.10.0 linecache2==1.0.0 markupsafe==1.1.1 pyasn1==0.5.1
    pyasn1-modules==0.3.0 pycparser==2.21 PyHamcrest==1.10.1 pyOpenSSL==19.1.0 service-identity==18.1.0
    setuptools==44.0.0 six==1.16.0 traceback2==1.4.0 Twisted==19.10.0 txaio==2.1.0 typing==3.10.0.0 ujson==2.0.3
    unittest2==1.1.0 Werkzeug==1.0.1 wsaccel==0.6.6 zope.interface==4.6.0
""".split()


class Autobahn:
    """The suite itself."""

    name = "autobahntestsuite 25.10.1"
    pins = SUITE_PINS
    python2 = True
    unjudged = []
    # Anything that is printed and no number of a case is from a library.
    listing = """
from autobahntestsuite.case import Cases, CaseBasename
for case in Cases: print(case.__name__[len(CaseBasename):].replace('_', '.'))
"""

    def __init__(self, python):
        self.python = python

    def known(self):
        output = subprocess.run([self.python, "-W", "ignore", "-c", self.listing], stdout=subprocess.PIPE, check=True)
        return [line for line in output.stdout.decode().split() if line.replace(".", "").isdigit()]

    def client(self, directory, cases, agent, url):
        wstest = pathlib.Path(self.python).with_name("wstest")
        spec = write_spec(directory, cases, servers=[{"agent": agent, "url": url}])
        return [wstest, "-m", "fuzzingclient", "-s", spec]

    def server(self, directory, cases):
        # listen.py has the kernel choose another port.
        spec = write_spec(directory, cases, url="ws://127.0.0.1:1")
        listen = pathlib.Path(__file__).with_name("listen.py")
        return [self.python, listen, "-m", "fuzzingserver", "-s", spec, "-u", "0"]


class Kosoku(Autobahn):
    """The same cases in a runner for Python 3, for machines without Python 2.7."""

    name = "kosoku 0.1.0"
    pins = ["kosoku==0.1.0"]
    python2 = False
    # Its Python 3 passes text to SHA-1 in the cases about text of these sections: they end as errors, whatever the peer does.
    unjudged = ["12.*", "13.*"]
    listing = "from kosoku.cases import CASES\nprint('\\n'.join(CASES))"

    def client(self, directory, cases, agent, url):
        return [*self.command("fuzzingclient", directory, cases), url]

    def server(self, directory, cases):
        return [*self.command("fuzzingserver", directory, cases), "127.0.0.1:0"]

    def command(self, mode, directory, cases):
        kosoku = pathlib.Path(self.python).with_name("kosoku")
        return [kosoku, "-m", mode, "-o", directory, *(f"-i{case}" for case in cases)]


def write_spec(directory, cases, **peer):
    path = directory / "spec.json"
    spec = {"outdir": str(directory), "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}, **peer}
    path.write_text(json.dumps(spec))
    return path
