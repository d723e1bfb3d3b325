#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A relay is replaced by a new process under its sessions.

load helper

setup() {
	need_lab
	start_lab 2 200 0
	serve_file 30
	lab_spawn server "$lab_dir/echo.log" python3 "$BATS_TEST_DIRNAME/../lab/echo_server.py" 9001
	wait_port 9001
}

teardown() {
	[ -z "${lab:-}" ] || stop_lab
}

# The new process; the old one must be gone, and this one serving.
upgrade() {
	local old=$relay_pid
	lab_spawn server "$lab_dir/relay.$RANDOM.log" "$lab_build/mifcont-relay" --take-over --state-dir "$lab_dir/state" \
		--log debug --allow 8080 --allow 9001
	relay_pid=$lab_pid
	is_over "$old"
	kill -0 "$relay_pid"
}

@test "downloads, an upload and echoes go on while the relay is replaced again and again" {
	covered curl -sS --limit-rate 5M --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local down=$! many i
	covered timeout 60 python3 "$BATS_TEST_DIRNAME/../lab/echo_many.py" 10.9.0.2 9001 20 4000000 </dev/null &
	many=$!
	for i in 1 2 3; do
		sleep 0.7
		upgrade
		lab_event wlan0 down
		sleep 0.5
		lab_event wlan0 up
	done
	wait "$down"
	wait "$many"
	same "$lab_dir/out" "$lab_dir/www/file"
	[ "$(handovers)" -ge 6 ]
	[ "$(cat "$lab_dir"/relay*.log | grep -c 'took over 2[01] sessions')" -ge 1 ]
	# The connections of the first process served to the end: nothing was opened anew.
	[ "$(cat "$lab_dir"/relay.*.log | grep -c 'session .* open$')" = 0 ]
}

@test "detached sessions are handed over with the bytes they hold" {
	covered curl -sS --limit-rate 8M --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$!
	sleep 1
	lab_event wlan0 down
	lab_event wwan0 down
	sleep 1
	upgrade
	sleep 0.5
	upgrade
	lab_event wwan0 up
	wait "$pid"
	same "$lab_dir/out" "$lab_dir/www/file"
}

@test "a successor that fails half way changes nothing" {
	covered curl -sS --limit-rate 8M --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$!
	sleep 1
	python3 - "$lab_dir/state/relay.sock" <<-'END'
		import socket, sys
		for packets in (0, 1, 2, 3, 4):
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    s.connect(sys.argv[1])
		    for _ in range(packets):
		        s.recv(65536)
		    s.close()
	END
	sleep 0.5
	kill -0 "$relay_pid"
	lab_event wlan0 down
	sleep 0.3
	lab_event wlan0 up
	upgrade
	wait "$pid"
	same "$lab_dir/out" "$lab_dir/www/file"
	grep -q 'handing over failed' "$lab_dir/relay.log"
}

@test "with nobody there to take over from it starts as ever" {
	kill "$relay_pid"
	while kill -0 "$relay_pid" 2>/dev/null; do sleep 0.05; done
	lab_spawn server "$lab_dir/relay2.log" "$lab_build/mifcont-relay" --take-over --state-dir "$lab_dir/state" --allow 8080
	wait_port 7343
	grep -q 'nobody to take over from' "$lab_dir/relay2.log"
	covered curl -sS --max-time 20 -o "$lab_dir/out" http://10.9.0.2:8080/file
	same "$lab_dir/out" "$lab_dir/www/file"
}
