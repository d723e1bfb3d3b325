#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What mifcont status tells of a flow that moves.

load helper

setup() {
	need_lab
	start_lab
	lab_spawn server /dev/null timeout 60 nc -l -k 9000
	wait_port 9000
}

teardown() {
	stop_lab
}

flow() { # jq filter over the one flow
	in_client "$lab_build/mifcont" status --json | jq -r ".[].flows[] | $1"
}

@test "a flow shows its peer, path, handovers and bytes" {
	mkfifo "$lab_dir/fifo"
	covered nc 10.9.0.2 9000 <"$lab_dir/fifo" &
	exec 7>"$lab_dir/fifo"
	printf 12345678 >&7
	sleep 1
	[ "$(flow '.peer + " " + .continuity + " " + .state + " " + .path.interface')" = \
		"10.9.0.2:9000 session stable wlan0" ]
	[ "$(flow '.covered, .handovers, .sent' | paste -sd' ')" = "true 0 8" ]
	lab_event wlan0 down
	sleep 1
	[ "$(flow '.path.interface, .handovers, .sent' | paste -sd' ')" = "wwan0 1 8" ]
	lab_event wwan0 down
	sleep 1
	[ "$(flow .state)" = waiting ]
	in_client "$lab_build/mifcont" status | grep -q 10.9.0.2:9000
	exec 7>&-
}

@test "a session that waits for the next program's use of it is shown under that program" {
	covered bash -c 'exec 3<>/dev/tcp/10.9.0.2/9000; exec sleep 4' &
	local pid=$!
	sleep 1.5
	run in_client "$lab_build/mifcont" status
	echo "$output"
	[ "$status" = 0 ]
	[[ $output == *10.9.0.2:9000* ]]
	[[ $output != *"another process"* ]]
	wait "$pid"
}

@test "a changed policy moves a flow; a wrong one changes nothing" {
	mkfifo "$lab_dir/fifo"
	covered nc 10.9.0.2 9000 <"$lab_dir/fifo" &
	exec 7>"$lab_dir/fifo"
	sleep 1
	[ "$(flow .path.interface)" = wlan0 ]
	sed -i 's/prefer = 100/prefer = 900/' "$lab_dir/policy.conf"
	sleep 1
	[ "$(flow .path.interface)" = wwan0 ]
	echo 'interface "wlan*" { prefer = lots }' >"$lab_dir/policy.conf"
	sleep 1
	[ "$(flow .path.interface)" = wwan0 ]
	grep -q "policy.conf:1: .*expected" "$lab_dir/client.log"
	exec 7>&-
}

@test "an unlisted port is refused and the connection goes straight" {
	lab_spawn server "$lab_dir/got" timeout 30 nc -l 9555
	wait_port 9555
	echo direct | covered timeout 20 nc -N 10.9.0.2 9555
	[ "$(cat "$lab_dir/got")" = direct ]
	grep -q 'refused' "$lab_dir/relay.log"
}

@test "without any relay a session connection is an ordinary one" {
	kill "$relay_pid"
	lab_spawn server "$lab_dir/got" timeout 30 nc -l 9001
	wait_port 9001
	echo direct | covered timeout 20 nc -N 10.9.0.2 9001
	[ "$(cat "$lab_dir/got")" = direct ]
}
