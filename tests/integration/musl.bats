#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Programs of another C library: musl. The library is built for it (scripts/musl), and so are the lab's programs.

load helper

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	export musl_missing=
	local status=0
	# Status 3: it cannot be built on this machine, for the reason it gives.
	musl_log=$(scripts/musl 2>&1) || status=$?
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
	busybox=$lab_root/build-musl-deps/busybox/busybox_unstripped
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
	for t in preload_answers preload_counts preload_placeholder session_sim noise ring wire; do
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

@test "a name means what the network of the path says" {
	start_lab 5 100 0
	cat >"$lab_dir/policy.conf" <<-'END'
		peer "*.lab.example" { continuity = auto  resolve = path }
		peer "*" { continuity = auto }
	END
	mkdir -p "$lab_dir/run/systemd/netif/links" "$lab_dir/www"
	echo "it is this one" >"$lab_dir/www/page"
	lab_spawn server "$lab_dir/http.log" python3 -m http.server 8080 --directory "$lab_dir/www"
	# The host's own name server knows another one of that name.
	lab_names www.lab.example=192.0.2.9
	lab_spawn router "$lab_dir/dns-path" python3 "$lab_root/tests/lab/dns.py" 10.1.0.1 www.lab.example=10.9.0.2
	wait_port 8080
	for ((i = 0; i < 100; i++)); do
		! in_router ss -Hlun "src 10.1.0.1:53" | grep -q . || break
		sleep 0.05
	done
	echo DNS=10.1.0.1 >"$lab_dir/run/systemd/netif/links/$(in_client cat /sys/class/net/wlan0/ifindex)"
	in_client timeout 60 unshare -m sh -c 'mount --bind "$1" /run && mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@"' - \
		"$lab_dir/run" "$lab_dir/resolv.conf" env LD_PRELOAD="$musl/libmifcont.so" \
		MIFCONT_POLICY="$lab_dir/policy.conf" MIFCONT_LOG="debug:$lab_dir/client.log" \
		"$busybox" wget -T 10 -O "$lab_dir/got" http://www.lab.example:8080/page
	[ "$(cat "$lab_dir/got")" = "it is this one" ]
	grep -q 'asked for in the network of wlan0' "$lab_dir/client.log"
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

@test "busybox wget" {
	[ -x "$busybox" ] || skip "the source of busybox cannot be had"
	start_lab 5 100 0
	serve_file 30
	goes_on "$busybox" wget -q -O "$lab_dir/got" http://10.9.0.2:8080/file
	same "$lab_dir/got" "$lab_dir/www/file"
}
