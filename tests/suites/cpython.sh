# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034  # what scripts/transparency has set, and uses
# CPython's own tests, by the python that is installed.

cpython_needs='python3 libpython3.11-testsuite'

python=/usr/bin/python3
cpython_few='test_select test_poll test_epoll test_selectors test_httplib test_socketserver'
cpython_all="$cpython_few test_socket test_asyncio test_ssl test_subprocess test_urllib2_localnet test_httpservers test_ftplib
	test_smtplib test_poplib test_imaplib test_nntplib test_telnetlib test_xmlrpc test_wsgiref test_robotparser test_docxmlrpc
	test_asyncore test_asynchat test_threading test_signal test_fork1 test_posix test_os test_fcntl test_eintr
	test_popen test_pty test_fileio test_file test_wait3 test_wait4 test_threadsignals test_multiprocessing_fork
	test_urllib test_timeout test_ioctl test_openpty test_resource test_syslog"

# Those that can be told another host; the others would wait for one that does not come.
cpython_host="$cpython_few test_asyncio test_ssl test_urllib2_localnet test_httpservers test_smtplib test_imaplib test_xmlrpc
	test_docxmlrpc test_asyncore"

cpython_version() { "$python" -c 'import platform; print("CPython", platform.python_version())'; }

# Tests that are to be run again have the form module.Class.method: the whole module is run.
cpython_run() { # MODE RESULTS [TEST...]
	local mode=$1 results=$2 address=- dir module runner=$PWD/tests/suites/cpython.py
	shift 2
	case $mode in bare-host | session) address=$host ;; esac
	dir=$(mktemp -d)
	: >"$results"
	: >"$results.log"
	# Each module in a process of its own: one that hangs, or dies, takes no other with it.
	for module in "$@"; do
		(cd "$dir" && in_mode "$mode" timeout -k 5 240 "$python" "$runner" "$address" "$dir/results" "$module") \
			>>"$results.log" 2>&1 </dev/null
		cat "$dir/results" >>"$results" 2>/dev/null || echo "$module: no results" >>"$results.log"
		rm -f "$dir/results"
	done
	rm -rf "$dir"
}

cpython_modules() { sed -n 's/^test\.\(test_[a-z0-9_]*\)\..*/\1/p' "$1" | sort -u; }

# shellcheck disable=SC2086  # words are meant to split
suite_cpython() { pair cpython cpython "$(cpython_version)" bare preloaded $cpython_all; }

# shellcheck disable=SC2086
suite_cpython-host() { pair cpython-host cpython "$(cpython_version)" bare-host session $cpython_host; }

# shellcheck disable=SC2086
suite_cpython-short() {
	pair cpython-short cpython "$(cpython_version)" bare preloaded $cpython_few
	pair cpython-short cpython "$(cpython_version)" bare-host session $cpython_few
}
