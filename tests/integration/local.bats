#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Connections that do not leave the host are not lost with a path, and a reset by the peer is a reset.

load helper

setup() {
	need_lab
	start_lab 5 100 0
}

teardown() {
	stop_lab
}

# Talks to a service at the host's own address; the interface that has it goes meanwhile.
talks_at_home() { # policy lines on standard input
	local pid i
	{
		cat
		printf '%s\n' 'interface "wlan*" { prefer = 200 }'
	} >"$lab_dir/policy.conf"
	lab_spawn client "$lab_dir/echo.log" python3 "$BATS_TEST_DIRNAME/../lab/echo_server.py" 9001
	lab_wait_port client 9001
	covered timeout 40 python3 "$BATS_TEST_DIRNAME/../lab/goes_on.py" 10.1.0.2 9001 "$lab_dir/more" &
	pid=$!
	for ((i = 0; i < 50; i++)); do
		in_client ss -Htn state established dport = :9001 | grep -q . && break
		sleep 0.1
	done
	sleep 0.5
	lab_event wlan0 down
	sleep 1
	touch "$lab_dir/more"
	wait "$pid"
}

@test "a relay on this host is no help: straight to the peer, and on without the interface" {
	# shellcheck disable=SC2154  # set by the lab
	lab_spawn client "$lab_dir/home.log" "$lab_build/mifcont-relay" --state-dir "$lab_dir/home" --log debug --allow 9001
	lab_wait_port client 7343
	talks_at_home <<<'peer "*" { continuity = session relay = "10.1.0.2:7343" }'
	grep -q 'the relay is on this host' "$lab_dir/client.log"
	run grep -c 'session .* open$' "$lab_dir/home.log"
	[ "$output" = 0 ]
}

@test "a connection to the host itself is not dialled anew" {
	talks_at_home <<<'peer "*" { continuity = redial replay = line }'
	run grep -c 'handover\|waiting:' "$lab_dir/client.log"
	[ "$output" = 0 ]
}

@test "a peer that resets is seen to do so at once, each time" {
	lab_spawn server "$lab_dir/rude.log" python3 -c '
import socket, struct
s = socket.create_server(("", 9001))
while True:
    c, _ = s.accept()
    c.recv(1024)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()'
	wait_port 9001
	# Taken for a lost path, a reset would be waited out for seconds.
	covered timeout 60 python3 -c '
import select, socket
for n in range(60):
    s = socket.create_connection(("10.9.0.2", 9001))
    s.settimeout(20)
    try:
        while True:
            s.sendall(b"x" * 4096)
    except (ConnectionResetError, BrokenPipeError):
        pass
    s.close()'
	run grep -c 'on w' "$lab_dir/client.log"
	[ "$output" = 0 ]
}
