# SPDX-License-Identifier: MIT
"""Runs tests of CPython's own suite in this interpreter: cpython.py HOST RESULTS TEST...

HOST is what the tests are to connect to: "-" leaves them their loopback, an address replaces it wherever they ask
the suite for one. A line for each test goes to RESULTS: its name and ok, failed or skipped.
"""
import os
import sys
import tempfile
import xml.etree.ElementTree

host, results, tests = sys.argv[1], sys.argv[2], sys.argv[3:]

if host != "-":
    from test.support import socket_helper

    # Before any test module takes its own copy.
    socket_helper.HOST = socket_helper.HOSTv4 = host

from test.libregrtest import main  # noqa: E402

report = tempfile.mktemp()
# A virtual machine's own sockets: without a host that answers, its test waits for ever.
sys.argv = ["regrtest", "--ignore", "*VSOCK*", "--junit-xml", report, "--timeout", "200", "-u", "network", *tests]
try:
    main()
except SystemExit:
    pass
with open(results, "w") as out:
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        verdict = "failed" if kinds & {"error", "failure"} else "skipped" if "skipped" in kinds else "ok"
        print(case.get("name"), verdict, file=out)
os.unlink(report)
