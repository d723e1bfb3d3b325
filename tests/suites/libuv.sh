# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034  # what scripts/transparency has set, and uses
# libuv's own tests, built from its source.

libuv_needs='cmake g++'

libuv_version() {
	if [ ! -x "$keep/libuv1/b/uv_run_tests" ]; then
		source_of libuv1 2>/dev/null
		cmake -S "$keep/libuv1" -B "$keep/libuv1/b" -DBUILD_TESTING=ON >"$keep/libuv1.log" 2>&1 &&
			make -s -j2 -C "$keep/libuv1/b" uv_run_tests >>"$keep/libuv1.log" 2>&1
		cp "$lab_build/libmifcont.so" "$lab_build/suites/elsewhere.so" "$keep/libuv1/b/"
		# Its user's own: the key is read by its owner alone.
		mkdir -p "$keep/libuv1/b/state"
		sed "s|$keep/client.key|$keep/libuv1/b/client.key|" "$keep/session.conf" >"$keep/libuv1/b/session.conf"
		cp "$keep/client.key" "$keep/libuv1/b/client.key"
		chmod -R a+rwX "$keep/libuv1"
		chmod 600 "$keep/libuv1/b/client.key"
		chown -R 65534:65534 "$keep/libuv1/b" 2>/dev/null
		chmod a+x "$keep"
	fi
	find "$keep/apt" -name 'libuv1_*.orig.tar.*' | sed -n 's/.*libuv1_\(.*\)\.orig.*/libuv \1/p' | head -n 1
}

# It will not run as root, and knows no other peer than the loopback: for the runs over the host's own address a second
# library, before ours, gives it that one in its place (tests/suites/elsewhere.c).
libuv_run() { # MODE RESULTS
	local b=$keep/libuv1/b with='' policy=()
	local as=(setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$b" ELSEWHERE="$host")
	case $1 in bare-host | session) with=$b/elsewhere.so ;; esac
	case $1 in preloaded | session) with="$with $b/libmifcont.so" ;; esac
	[ "$1" != session ] || policy=(MIFCONT_POLICY="$b/session.conf" XDG_STATE_HOME="$b/state")
	(cd "$b" && ip netns exec "$space" "${as[@]}" "${policy[@]}" LD_PRELOAD="$with" timeout 400 ./uv_run_tests) \
		>"$2.log" 2>&1 </dev/null
	sed -nE 's/^ok [0-9]+ - ([a-z0-9_]+) *$/\1 ok/p; s/^ok [0-9]+ - ([a-z0-9_]+) *# *SKIP.*/\1 skipped/p
		s/^not ok [0-9]+ - ([a-z0-9_]+).*/\1 failed/p' "$2.log" >"$2"
}

libuv_modules() { echo all; }

suite_libuv() { pair libuv libuv "$(libuv_version)" bare preloaded; }

suite_libuv-host() { pair libuv-host libuv "$(libuv_version)" bare-host session; }
