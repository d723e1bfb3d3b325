#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Programs of another release of Debian, with its own libc, under the library built there: run by scripts/glibc.

load ../integration/helper

setup() {
	need_lab
	[ -n "${GLIBC_ROOT:-}" ] || skip "run by scripts/glibc"
	export library=/src/build-glibc/$GLIBC_SUITE/build/libmifcont.so
	start_lab 5 100 0
}

teardown() {
	stop_lab
}

# In the client, with the other release as its root.
rooted() { # CMD...
	# shellcheck disable=SC2016
	in_client bash -c 'root=$1 src=$2 lab=$3
		shift 3
		mount -t proc proc "$root/proc" && mount --bind /dev "$root/dev" &&
			mount --bind "$src" "$root/src" && mount --bind "$lab" "$root/lab" &&
			exec timeout 60 chroot "$root" /usr/bin/env LD_PRELOAD="$library" HOME=/root \
				MIFCONT_POLICY=/lab/policy.conf MIFCONT_LOG=debug:/lab/client.log "$@"' \
		- "$GLIBC_ROOT" "$lab_root" "$lab_dir" "$@"
}

goes_on() { # CMD...
	rooted "$@" >"$lab_dir/said" 2>&1 &
	local pid=$!
	sleep 0.6
	flap "$pid" 3 300 500
	wait "$pid" || { cat "$lab_dir/said"; return 1; }
	[ "$(handovers)" -ge 1 ]
}

download() { # CMD...
	serve_file 30
	goes_on "$@" || return 1
	same "$lab_dir/got" "$lab_dir/www/file"
}

with_echo() { # CMD...
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
	goes_on "/src/build-glibc/$GLIBC_SUITE/build/lab/$1" "$2" 10.9.0.2 9000 4
}

@test "curl" {
	download curl -sS -o /lab/got http://10.9.0.2:8080/file
}

# Built with this machine's libc it must work there, too, unless that is older.
@test "curl, under the library of this machine" {
	library=/src/build/libmifcont.so
	rooted /bin/true 2>&1 | grep -q 'not found' && skip "this libc is older than what the library was built with"
	download curl -sS -o /lab/got http://10.9.0.2:8080/file
}

@test "wget" {
	download wget -q -O /lab/got http://10.9.0.2:8080/file
}

@test "nc" {
	head -c 20000000 /dev/urandom >"$lab_dir/sent"
	lab_spawn server "$lab_dir/nc.log" sh -c "exec nc -l 9001 >'$lab_dir/got'"
	wait_port 9001
	goes_on sh -c 'nc -N 10.9.0.2 9001 </lab/sent'
	same "$lab_dir/got" "$lab_dir/sent"
}

@test "python's sockets" {
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
	goes_on python3 -c '
import socket, time
s = socket.create_connection(("10.9.0.2", 9000))
end = time.monotonic() + 4
n = 0
while time.monotonic() < end:
    want = b"%d\n" % n
    s.sendall(want)
    assert s.makefile("rb").readline() == want
    n += 1
    time.sleep(0.01)
assert n > 10
'
}

@test "bulk data, epoll" {
	with_echo bulk epoll
}

@test "bulk data, a thread each" {
	with_echo bulk threads
}

@test "set*id while the agent works" {
	with_echo bulk setid
}

@test "stdio" {
	with_echo relatives stdio
}

@test "dprintf" {
	with_echo relatives dprintf
}

@test "a program executed by a forked child" {
	with_echo relatives fork-exec
}

@test "a spawned program" {
	with_echo relatives spawn
}

@test "the process itself becomes another program" {
	with_echo relatives exec
}
