#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Many flows in one process, flaps as close as 50 ms.

load helper

setup() {
	need_lab
	start_lab 2 200 0
	lab_spawn server "$lab_dir/echo.log" python3 "$BATS_TEST_DIRNAME/../lab/echo_server.py" 9001
	wait_port 9001
}

teardown() {
	stop_lab
}

@test "50 flows in both directions through flaps 50 to 400 ms apart" {
	mkfifo "$lab_dir/fifo"
	covered timeout 100 python3 "$BATS_TEST_DIRNAME/../lab/echo_many.py" 10.9.0.2 9001 50 400000 <"$lab_dir/fifo" &
	local pid=$!
	exec 7>"$lab_dir/fifo"
	opened 50
	flap "$pid" 12 50 400
	exec 7>&-
	wait "$pid"
	[ "$(handovers)" -ge 10 ]
}

@test "no descriptor and no thread is left behind" {
	covered timeout 60 python3 "$BATS_TEST_DIRNAME/../lab/echo_leak.py" 10.9.0.2 9001 &
	local pid=$!
	flap "$pid" 8 200 400
	wait "$pid"
}

@test "a crowd dialled without blocking is connected, and moved" {
	mkfifo "$lab_dir/fifo"
	covered timeout 60 python3 "$BATS_TEST_DIRNAME/../lab/wide.py" 10.9.0.2 9001 150 <"$lab_dir/fifo" >"$lab_dir/out" &
	local pid=$! i
	exec 7>"$lab_dir/fifo"
	for ((i = 0; i < 200; i++)); do
		! grep -q . "$lab_dir/out" || break
		sleep 0.1
	done
	cat "$lab_dir/out"
	grep -qx ready "$lab_dir/out"
	# What its descriptors held while they were being connected is gone.
	for ((i = 0; i < 100; i++)); do
		in_client ss -Hltn | grep -q . || break
		sleep 0.1
	done
	never grep . < <(in_client ss -Hltn)
	# Each is named, however long that makes it.
	[ "$(in_client "$lab_build/mifcont" status --json | jq '.[].flows | length')" = 150 ]
	lab_event wlan0 down
	echo >&7
	wait "$pid"
	exec 7>&-
	[ "$(handovers)" -ge 150 ]
}
