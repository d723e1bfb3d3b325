#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The policy's on-handover command: when it is run, with what, and that the program cannot tell.

load helper

setup() {
	need_lab
	start_lab
	lab_spawn server "$lab_dir/echo.log" python3 "$BATS_TEST_DIRNAME/../lab/echo_server.py" 9001
	wait_port 9001
	printf '%s\n' '#!/bin/sh' "ls -l /proc/self/fd >$lab_dir/descriptors" "env >$lab_dir/env.tmp" \
		"[ ! -e $lab_dir/slow ] || sleep 0.7" "mv $lab_dir/env.tmp $lab_dir/env" \
		"echo \$MIFCONT_EVENT \$MIFCONT_INTERFACE >>$lab_dir/runs" 'exit 7' >"$lab_dir/refresh"
	chmod +x "$lab_dir/refresh"
}

teardown() {
	stop_lab
}

policy() { # KEYS
	printf 'stability { spread = 0  damp = 0 }\ninterface "wlan*" { prefer = 200 }\ninterface "wwan*" { prefer = 100 }\n%s\n' \
		"peer \"*\" { $1  on-handover = \"exec $lab_dir/refresh\" }" >"$lab_dir/policy.conf"
	in_client "$lab_build/mifcont" policy check "$lab_dir/policy.conf"
}

# Five connections, one of them idle no more; tells of children it should not have.
clients='import os, signal, socket, sys, time
children = []
signal.signal(signal.SIGCHLD, lambda *a: children.append(a))
s = [socket.create_connection(("10.9.0.2", 9001)) for _ in range(5)]
def talk(c):
    c.sendall(b"hello\n")
    return c.recv(100)
for c in s: assert talk(c) == b"hello\n"
print("ready", flush=True)
sys.stdin.readline()
for c in s: assert talk(c) == b"hello\n"
try:
    os.waitpid(-1, 0)
    print("a child")
except ChildProcessError:
    print("no child", len(children))
'

@test "one run for all that moved, outside the program" {
	policy 'continuity = session'
	local i
	mkfifo "$lab_dir/held"
	exec 7<>"$lab_dir/held"
	covered env SECRET=1 XDG_RUNTIME_DIR=/run/user/5 timeout 30 python3 -c "$clients" <&7 >"$lab_dir/out" &
	local client=$!
	for ((i = 0; i < 100; i++)); do
		! grep -q ready "$lab_dir/out" || break
		sleep 0.1
	done
	lab_event wlan0 down
	for ((i = 0; i < 100; i++)); do
		[ ! -e "$lab_dir/runs" ] || break
		sleep 0.1
	done
	echo >&7
	wait "$client"
	[ "$(cat "$lab_dir/out")" = $'ready\nno child 0' ]
	[ "$(cat "$lab_dir/runs")" = "moved wwan0" ]
	[ "$(handovers)" -ge 5 ]
	cat "$lab_dir/env"
	grep -x 'MIFCONT_PEER=10.9.0.2' "$lab_dir/env"
	grep -x 'MIFCONT_PORT=9001' "$lab_dir/env"
	grep -x 'MIFCONT_ADDRESS=10.2.0.2' "$lab_dir/env"
	grep -x 'XDG_RUNTIME_DIR=/run/user/5' "$lab_dir/env"
	run grep -E 'SECRET|LD_PRELOAD' "$lab_dir/env"
	[ "$status" = 1 ]
	# Of the descriptors it has only the three, and what ls itself opened.
	[ "$(grep -c /dev/null "$lab_dir/descriptors")" = 2 ]
	run grep -E 'socket|pipe|event' "$lab_dir/descriptors"
	[ "$status" = 1 ]
	for ((i = 0; i < 30; i++)); do
		! grep -q 'ended by exit status 7' "$lab_dir/client.log" || break
		sleep 0.1
	done
	grep 'on-handover command: ended by exit status 7' "$lab_dir/client.log"
	exec 7>&-
}

@test "what is bound to its address is reset once it has ended" {
	policy 'continuity = auto  address-bound = true'
	touch "$lab_dir/slow"
	covered timeout 30 python3 -c '
import os, socket, sys
s = socket.create_connection(("10.9.0.2", 9001))
s.sendall(b"hello\n")
assert s.recv(100) == b"hello\n"
print("ready", flush=True)
try:
    s.recv(100)
    print("end")
except ConnectionResetError:
    print("reset", os.path.exists(sys.argv[1]))
' "$lab_dir/runs" >"$lab_dir/out" &
	local client=$! i
	for ((i = 0; i < 100; i++)); do
		! grep -q ready "$lab_dir/out" || break
		sleep 0.1
	done
	lab_event wlan0 down
	wait "$client"
	cat "$lab_dir/out" "$lab_dir/runs"
	[ "$(tail -n 1 "$lab_dir/out")" = "reset True" ]
	[ "$(cat "$lab_dir/runs")" = "reset wwan0" ]
}

@test "one that hangs holds up nobody for longer than ten seconds" {
	policy 'continuity = auto  address-bound = true'
	sed -i '2i exec sleep 45' "$lab_dir/refresh"
	covered timeout 30 python3 -c '
import socket
s = socket.create_connection(("10.9.0.2", 9001))
s.sendall(b"hello\n")
assert s.recv(100) == b"hello\n"
print("ready", flush=True)
try:
    s.recv(100)
except ConnectionResetError:
    print("reset")
' >"$lab_dir/out" &
	local client=$! i
	for ((i = 0; i < 100; i++)); do
		! grep -q ready "$lab_dir/out" || break
		sleep 0.1
	done
	lab_event wlan0 down
	wait "$client"
	[ "$(tail -n 1 "$lab_dir/out")" = "reset" ]
}
