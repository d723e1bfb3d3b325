#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# mifcont drain and mifcont switch: flows go where the user says, before anything is lost.

load helper
bats_require_minimum_version 1.5.0

setup() {
	need_lab
	start_lab 5 200 0
	lab_spawn server "$lab_dir/serve.log" "$lab_build/lab/measure" serve 9000
	wait_port 9000
}

teardown() {
	stop_lab
}

cli() { in_client "$lab_build/mifcont" "$@"; }

# The interfaces that status has, of all flows.
places() { cli status --json | jq -r '.[].flows[].path.interface' | sort | uniq -c | awk '{ print $2 "x" $1 }' | paste -sd' '; }

@test "every flow of every process leaves, and nobody sees a gap" {
	covered "$lab_build/lab/measure" paced 10.9.0.2 9000 5 >"$lab_dir/gap" &
	local pid=$!
	serve_file 20
	covered curl -sS --limit-rate 4M --max-time 30 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local curl=$!
	sleep 1.5
	[ "$(places)" = "wlan0x2" ]
	run cli drain wlan0
	[ "$status" = 0 ]
	[ -z "$output" ]
	[ "$(places)" = "wwan0x2" ]
	lab_event wlan0 down
	wait "$pid"
	wait "$curl"
	same "$lab_dir/out" "$lab_dir/www/file"
	# Make-before-break: no more than the difference of the paths and this machine's own pauses; a loss would take 20 ms.
	cat "$lab_dir/gap"
	grep -q 'flow 1: wlan0 is about to be turned off; wwan0 is the best other' "$lab_dir/client.log"
	run grep -c "the flow's path is gone" "$lab_dir/client.log"
	[ "$output" = 0 ]
}

@test "a process without connections that has changed who it is is not waited for" {
	covered timeout 30 python3 -c '
import os, socket, sys, time
s = socket.create_connection(("10.9.0.2", 9000))
s.close()
time.sleep(1)
os.setresgid(-1, -1, -1)
print("changed", flush=True)
time.sleep(20)' >"$lab_dir/said" &
	local pid=$! i
	for ((i = 0; i < 100; i++)); do
		! grep -q changed "$lab_dir/said" || break
		sleep 0.1
	done
	run cli drain --timeout 2 wlan0
	kill "$pid"
	echo "$output"
	[ "$status" = 0 ]
	[ -z "$output" ]
}

@test "it lasts until it is taken back, the interface comes up anew, or its time is over" {
	covered "$lab_build/lab/measure" paced 10.9.0.2 9000 12 >"$lab_dir/gap" &
	local pid=$! i
	sleep 1
	back_on_wlan0() {
		for ((i = 0; i < 60; i++)); do
			[ "$(places)" != wlan0x1 ] || return 0
			sleep 0.1
		done
		places
		return 1
	}
	cli drain wlan0
	sleep 1
	[ "$(places)" = wwan0x1 ]
	cli drain --undo wlan0
	back_on_wlan0
	cli drain --for 1 wlan0
	[ "$(places)" = wwan0x1 ]
	back_on_wlan0
	cli drain wlan0
	lab_event wlan0 down
	lab_event wlan0 up
	back_on_wlan0
	wait "$pid"
}

@test "what cannot leave is named, and the status says so" {
	cat >"$lab_dir/policy.conf" <<-'END'
		interface "wlan*" { prefer = 200 }
		peer "*:9000" { continuity = session }
		peer "*" { continuity = auto }
	END
	lab_spawn server /dev/null timeout 60 nc -l -k 9001
	wait_port 9001
	mkfifo "$lab_dir/fifo"
	covered nc -N 10.9.0.2 9001 <"$lab_dir/fifo" 3>&- &
	local pid=$!
	exec 7>"$lab_dir/fifo"
	echo something >&7
	sleep 1
	run -1 cli drain --timeout 1 wlan0
	[[ "$output" == *"the flow to 10.9.0.2:9001 stays on wlan0: nothing can carry it over"* ]]
	# Neither can one that has no other path.
	exec 7>&-
	wait "$pid" || :
	lab_event wwan0 down
	covered "$lab_build/lab/measure" paced 10.9.0.2 9000 4 >"$lab_dir/gap" &
	pid=$!
	sleep 1
	run -1 cli drain --timeout 1 wlan0
	[[ "$output" == *"stays on wlan0: no other path has answered yet"* ]]
	wait "$pid"
	run -2 cli drain nothing0
	run -2 cli drain
	run -2 cli drain --for never wlan0
	# With no flow there is nothing to wait for.
	cli drain wlan0
}

@test "the user's choice goes before the policy's" {
	covered "$lab_build/lab/measure" paced 10.9.0.2 9000 6 >"$lab_dir/gap" &
	local pid=$! process
	covered "$lab_build/lab/measure" paced 10.9.0.2 9000 6 >"$lab_dir/gap2" &
	local other=$!
	sleep 1
	process=$(cli status --json | jq '.[0].pid')
	cli switch --pid "$process" wwan0
	sleep 0.7
	[ "$(places)" = "wlan0x1 wwan0x1" ]
	[ "$(cli status --json | jq -r ".[] | select(.pid == $process).flows[0].path.interface")" = wwan0 ]
	cli switch --pid "$process" auto
	sleep 0.7
	[ "$(places)" = wlan0x2 ]
	cli switch --pid "$process" --flow 1 wwan0
	sleep 0.7
	[ "$(places)" = "wlan0x1 wwan0x1" ]
	cli switch wwan0
	sleep 0.7
	[ "$(places)" = wwan0x2 ]
	grep -q "wwan0 is the user's choice" "$lab_dir/client.log"
	wait "$pid" "$other"
	run -2 cli switch --flow 1 wlan0
	run -2 cli switch nothing0
	run -1 cli switch --pid 1 wlan0
}

@test "who does not answer may have flows yet, and a flow that is not there is said to be none" {
	covered python3 -c '
import socket, time
s = socket.create_connection(("10.9.0.2", 9000))
time.sleep(60)' &
	local pid=$! program
	sleep 1
	program=$(cli status --json | jq '.[0].pid')
	run -1 cli switch --pid "$program" --flow 999 wwan0
	[[ "$output" == *"has no flow 999"* ]]
	cli switch --pid "$program" --flow 1 wlan0
	kill -STOP "$program"
	run -1 cli drain --timeout 2 wlan0
	kill -CONT "$program"
	[[ "$output" == *"process $program: gave no answer"* ]]
	cli drain wlan0
	[ "$(places)" = wwan0x1 ]
	kill "$program"
	wait "$pid" || :
}

@test "nonsense is no command" {
	covered "$lab_build/lab/measure" paced 10.9.0.2 9000 3 >"$lab_dir/gap" &
	local pid=$!
	sleep 1
	in_client python3 - "$(cli status --json | jq '.[0].pid')" <<-'END'
		import socket, sys
		for words in (b"drain\n", b"drain \n", b"drain 1\n", b"drain 1 1", b"drain -1 5\n", b"drain 99999999999 5\n", b"drain 1 5 \n",
		              b"switch 1\n", b"switch x 1\n", b"drain 1 99999999999999999999\n", b"status", b"\n", b"drain " + b"1" * 500):
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(5)
		    s.connect("\0mifcont/" + sys.argv[1])
		    s.sendall(words)
		    try:
		        assert s.recv(1) == b"", words
		    except ConnectionResetError:
		        pass
	END
	[ "$(places)" = wlan0x1 ]
	wait "$pid"
}

@test "the hooks for who turns interfaces off" {
	covered "$lab_build/lab/measure" paced 10.9.0.2 9000 5 >"$lab_dir/gap" &
	local pid=$!
	sleep 1
	PATH=$lab_build:$PATH in_client "$lab_root/scripts/hooks/networkmanager" wlan0 pre-up
	[ "$(places)" = wlan0x1 ]
	PATH=$lab_build:$PATH in_client "$lab_root/scripts/hooks/networkmanager" wlan0 pre-down
	[ "$(places)" = wwan0x1 ]
	cli drain --undo wlan0
	sleep 0.7
	[ "$(places)" = wlan0x1 ]
	PATH=$lab_build:$PATH in_client "$lab_root/scripts/hooks/mifcont-down" wlan0
	[ "$(in_client cat /sys/class/net/wlan0/flags)" = 0x1002 ]
	[ "$(places)" = wwan0x1 ]
	run grep -c "the flow's path is gone" "$lab_dir/client.log"
	[ "$output" = 0 ]
	wait "$pid"
	run -2 in_client "$lab_root/scripts/hooks/mifcont-down" nothing0
}
