#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Multipath TCP below us: what the kernel looks after is left to it, and can be had for programs that do not know it.

load helper

setup() {
	need_lab
	start_lab 5 200 0
	in_server sysctl -qw net.mptcp.enabled=1 && in_client sysctl -qw net.mptcp.enabled=1 &&
		in_client ip mptcp endpoint add 10.2.0.2 dev wwan0 subflow || skip "no MPTCP in this kernel or iproute2"
	in_client ip mptcp limits set subflow 4
	in_server ip mptcp limits set subflow 4
	lab_spawn server "$lab_dir/serve.log" python3 "$mptcp" serve 9001
	wait_port 9001
}

teardown() {
	stop_lab
}

mptcp=$BATS_TEST_DIRNAME/../lab/mptcp.py

policy() { printf '%s\n' "$@" >"$lab_dir/policy.conf"; }

talk() { covered timeout 30 python3 "$mptcp" talk 10.9.0.2 "$@"; }

sessions() { grep -c 'session .* open' "$lab_dir/relay.log" || :; }

@test "a program's own MPTCP connection is left alone, and goes on by itself" {
	policy 'peer "*" { continuity = session }'
	talk 9001 mptcp 3 >"$lab_dir/out" &
	local pid=$!
	sleep 1.2
	lab_event wlan0 down
	wait "$pid"
	[ "$(cat "$lab_dir/out")" = "mptcp multipath 1" ]
	[ "$(sessions)" = 0 ]
	# Another program's TCP connection is not.
	talk 9001 tcp 1
	[ "$(sessions)" = 1 ]
}

@test "continuity = mptcp opens it for a program that does not know it" {
	policy 'peer "*" { continuity = mptcp }'
	talk 9001 tcp 3 >"$lab_dir/out" &
	local pid=$!
	sleep 1.2
	lab_event wlan0 down
	wait "$pid"
	[ "$(cat "$lab_dir/out")" = "mptcp multipath 1" ]
	run in_client "$lab_build/mifcont" policy explain --policy "$lab_dir/policy.conf" 10.9.0.2:9001
	[[ $output == *"continuity  mptcp: opened as MPTCP where the kernel has it"* ]]
}

@test "a server without it is reached all the same" {
	lab_spawn server "$lab_dir/echo.log" python3 "$BATS_TEST_DIRNAME/../lab/echo_server.py" 9002
	wait_port 9002
	policy 'peer "*" { continuity = mptcp }'
	[ "$(talk 9002 tcp 1)" = "mptcp alone 1" ]
}

@test "and a kernel without it connects by TCP" {
	in_client sysctl -qw net.mptcp.enabled=0
	policy 'peer "*" { continuity = mptcp }'
	[ "$(talk 9001 tcp 1)" = "tcp alone 1" ]
	grep -q 'no MPTCP' "$lab_dir/client.log"
}
