#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Programs of another C library: musl. The library is built for it (scripts/musl), and so are the lab's programs.

load helper

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	export musl_missing=
	local status=0
	# Status 3: it cannot be built on this machine, for the reason it gives.
	musl_log=$(scripts/musl build-musl/libmifcont.so build-musl/lab/relatives build-musl/lab/bulk \
		build-musl/tests/test_preload_counts build-musl/tests/test_preload_placeholder \
		build-musl/tests/test_session_sim 2>&1) || status=$?
	if [ "$status" = 3 ]; then
		musl_missing=$(tail -n 1 <<<"$musl_log")
	elif [ "$status" != 0 ]; then
		echo "$musl_log"
		return 1
	fi
}

setup() {
	[ -z "$musl_missing" ] || skip "$musl_missing"
	need_lab
	musl=$lab_root/build-musl
}

teardown() {
	stop_lab
}

echo_lab() {
	start_lab 5 100 0
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
}

# A program in the client, under musl's library; at most a minute. (What starts it is not musl's.)
covered_by_musl() {
	in_client timeout 60 env LD_PRELOAD="$musl/libmifcont.so" MIFCONT_POLICY="$lab_dir/policy.conf" \
		MIFCONT_LOG="debug:$lab_dir/client.log" "$@"
}

# Through losses and returns; the session ended in order, and no process of ours is left.
goes_on() { # CMD...
	local i
	covered_by_musl "$@" >"$lab_dir/out" 2>&1 &
	local pid=$!
	sleep 0.7
	flap "$pid" 3 300 500
	wait "$pid" || { cat "$lab_dir/out"; return 1; }
	[ "$(handovers)" -ge 2 ]
	for ((i = 0; i < 60; i++)); do
		[ -n "$(ip netns pids "$lab-c")" ] || break
		sleep 0.1
	done
	[ -z "$(ip netns pids "$lab-c")" ]
	grep -q 'session [0-9]* over' "$lab_dir/relay.log"
}

@test "the library is musl's and needs no library but libc" {
	run sh -c "readelf -d '$musl/libmifcont.so' | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p'"
	[ "$output" = libc.so ]
}

@test "no name is exported that this libc has not got" {
	nm -D --defined-only /lib/ld-musl-*.so.1 | awk '{ print $3 }' | sort -u >"$BATS_TEST_TMPDIR/libc"
	nm -D --defined-only "$musl/libmifcont.so" | awk '{ print $3 }' | sort -u >"$BATS_TEST_TMPDIR/ours"
	grep -qx connect "$BATS_TEST_TMPDIR/ours"
	run comm -23 "$BATS_TEST_TMPDIR/ours" "$BATS_TEST_TMPDIR/libc"
	[ "$output" = "" ]
}

@test "unit tests: counts, placeholder, the session" {
	local t
	for t in preload_counts preload_placeholder session_sim; do
		timeout 100 "$musl/tests/test_$t"
	done
}

@test "bulk data both ways, poll" {
	echo_lab
	goes_on "$musl/lab/bulk" poll 10.9.0.2 9000 3
}

@test "bulk data both ways, epoll" {
	echo_lab
	goes_on "$musl/lab/bulk" epoll 10.9.0.2 9000 3
}

@test "bulk data both ways, a thread each" {
	echo_lab
	goes_on "$musl/lab/bulk" threads 10.9.0.2 9000 3
}

@test "set*id while the agent works" {
	echo_lab
	goes_on "$musl/lab/bulk" setid 10.9.0.2 9000 3
}

@test "stdio" {
	echo_lab
	goes_on "$musl/lab/relatives" stdio 10.9.0.2 9000 3
}

@test "dprintf" {
	echo_lab
	goes_on "$musl/lab/relatives" dprintf 10.9.0.2 9000 3
}

@test "a forked child, then the parent again" {
	echo_lab
	goes_on "$musl/lab/relatives" child 10.9.0.2 9000 3
}

@test "a program executed by a forked child" {
	echo_lab
	goes_on "$musl/lab/relatives" fork-exec 10.9.0.2 9000 3
}

@test "a program executed by a vforked child" {
	echo_lab
	goes_on "$musl/lab/relatives" vfork-exec 10.9.0.2 9000 3
}

@test "a spawned program" {
	echo_lab
	goes_on "$musl/lab/relatives" spawn 10.9.0.2 9000 3
}

@test "the process itself becomes another program" {
	echo_lab
	goes_on "$musl/lab/relatives" exec 10.9.0.2 9000 3
}

@test "a descriptor passed to a process that goes on alone" {
	echo_lab
	goes_on "$musl/lab/relatives" receiver 10.9.0.2 9000 3
}

@test "a daemon made after the connection" {
	echo_lab
	goes_on "$musl/lab/relatives" daemon-itself 10.9.0.2 9000 3
}
