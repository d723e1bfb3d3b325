#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Connections that do not leave the host are not lost with a path.

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
