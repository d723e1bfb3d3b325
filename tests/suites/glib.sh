# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034  # what scripts/transparency has set, and uses
# GLib's tests of its sockets, streams, loops and processes, as Debian installs them.

glib_needs='libglib2.0-tests dbus'

glib_programs='socket socket-service socket-listener socket-address gsocketclient-slow network-address network-monitor
	network-monitor-race inet-address pollable io-stream unix-streams unix-fd unix converter-stream buffered-input-stream
	async-splice-output-stream async-close-output-stream proxy-test tls-interaction resolver-parsing credentials gdbus-peer
	gdbus-server-auth gdbus-auth gdbus-non-socket gdbus-connection-loss gdbus-connection-flush gdbus-threading
	gdbus-exit-on-close gdbus-connection gsubprocess spawn-test spawn-singlethread spawn-multithreaded mainloop timeout io-channel
	io-channel-basic sleepy-stream thread-pool task cancellable stream-rw_all debugcontroller'

glib_version() { dpkg-query -W -f 'GLib ${Version}\n' libglib2.0-tests | sed 's/-.*//'; }

glib_modules() { sed -n 's/:.*//p' "$1" | sort -u; }

glib_run() { # MODE RESULTS [PROGRAM...]
	local mode=$1 results=$2 program at=/usr/libexec/installed-tests/glib with dir
	shift 2
	# shellcheck disable=SC2086
	[ $# -gt 0 ] || set -- $glib_programs
	: >"$results"
	: >"$results.log"
	for program; do
		[ -x "$at/$program" ] || continue
		dir=$(mktemp -d)
		(cd "$dir" && in_mode "$mode" "${only_ipv4[@]}" env G_TEST_SRCDIR="$at" G_TEST_BUILDDIR="$at" TMPDIR="$dir" \
			timeout -k 5 120 "$at/$program" --tap) >"$results.one" 2>&1 </dev/null
		echo "exit $?" >>"$results.one"
		awk -v program="$program" 'function say(n, how) { print program ":" n, how }
			/^ *ok [0-9]+ .*# *(SKIP|TODO)/ || /^ *not ok [0-9]+ .*# *TODO/ { say($1 == "ok" ? $3 : $4, "skipped"); next }
			/^ *ok [0-9]+ / { say($3, "ok") } /^ *not ok [0-9]+ / { say($4, "failed") }
			/^exit / { say("exit", $2 == 0 ? "ok" : "failed") }' "$results.one" >>"$results"
		{ echo "== $program"; cat "$results.one"; } >>"$results.log"
		rm -rf "$dir"
	done
	rm -f "$results.one"
}

suite_glib() { pair glib glib "$(glib_version)" bare preloaded; }

suite_glib-host() { elsewhere pair glib-host glib "$(glib_version)" bare-host session; }
