# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034  # what scripts/transparency has set, and uses
# curl's own tests, built from its source. The suite's servers run as its client does: all of them have the library, or none.
# They stand on one host, whose address the suite lets itself be told.

curl_needs='libssl-dev zlib1g-dev perl stunnel4 python3'

# Every protocol but HTTP as a whole, of HTTP the first 300, and all programs that use libcurl in their own ways (several
# transfers at once, sockets of their own); without the unit tests, which open no connection, and those that curl's makers say
# are not always the same. By the event interface ("-e") a part again.
curl_list() { # [LAST]
	(cd "$keep/curl/tests/data" && {
		grep -LE '^HTTPS?$' test[0-9]*
		grep -lE '^<tool>' test[0-9]*
		grep -lE '^HTTPS?$' test? test?? test[12]??
	} | sort -u | xargs grep -LE '^(unittest|FILE|flaky|SCP|SFTP)$' | sed 's/test//' | sort -n | awk -v last="${1:-9999}" '$1 <= last')
}

curl_version() {
	local b=$keep/curl
	if [ ! -x "$b/tests/libtest/lib1560" ]; then
		source_of curl 2>/dev/null
		(cd "$b" && ./configure --enable-debug --disable-shared --with-openssl --disable-ldap --without-brotli \
			--without-libpsl --without-librtmp --without-libidn2 --without-libssh2 --disable-manual \
			--disable-dependency-tracking &&
			make -s -j2 -C lib libcurl.la && make -s -j2 -C src curl &&
			make -s -j2 -C tests/server && make -s -j2 -C tests/libtest) >"$keep/curl.log" 2>&1
	fi
	"$b/src/curl" --version 2>/dev/null | sed -n '1s/^curl \([0-9.]*\).*/curl \1/p'
}

curl_modules() { sed 's/ .*//' "$1" | sort -u; }

# NAME is the number of a test, with an e before it by the event interface.
curl_part() { # MODE RESULTS NAME...
	local mode=$1 results=$2 e='' address=()
	shift 2
	[ $# -gt 0 ] || return 0
	case $mode in bare-host | session) address=(-o "HOSTIP=$host" -o "CLIENTIP=$host") ;; esac
	[ "${1#e}" = "$1" ] || e=e
	(cd "$keep/curl/tests" && in_mode "$mode" timeout -k 5 900 perl runtests.pl ${e:+-e} -n -a -am "${address[@]}" "${@#e}") \
		>"$results.one" 2>&1 </dev/null
	# Of a test that is skipped the suite says nothing; nor of one that a run which hangs has not come to.
	awk -v e="$e" -v all="${*#e}" '/^PASS: / { how[$2] = "ok" } /^FAIL: / { how[$2] = "failed" } /^TESTDONE: / { done = 1 }
		/^TESTFAIL: These test cases failed: / { for (i = 6; i <= NF; i++) how[$i] = "failed" }
		END { if (done) for (i = split(all, n, " "); i > 0; i--) if (!(n[i] in how)) how[n[i]] = "skipped"
			for (i in how) print e i, how[i] }' "$results.one" | sort -n >>"$results"
	cat "$results.one" >>"$results.log"
	rm -f "$results.one"
}

curl_run() { # MODE RESULTS [NAME...]
	local mode=$1 results=$2 plain events
	shift 2
	if [ $# -gt 0 ]; then
		mapfile -t plain < <(printf '%s\n' "$@" | grep -v ^e)
		mapfile -t events < <(printf '%s\n' "$@" | grep ^e)
	else
		mapfile -t plain < <(curl_list)
		mapfile -t events < <(curl_list 150 | sed s/^/e/)
	fi
	: >"$results"
	: >"$results.log"
	curl_part "$mode" "$results" "${plain[@]}"
	curl_part "$mode" "$results" "${events[@]}"
}

suite_curl() { pair curl curl "$(curl_version)" bare preloaded; }

suite_curl-host() { pair curl-host curl "$(curl_version)" bare-host session; }
