#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Datagrams, and plain connections that are dialled again.

load helper

setup() {
	need_lab
	start_lab
}

teardown() {
	stop_lab
}

exchange() { # connected|unconnected
	lab_spawn server /dev/null python3 "$BATS_TEST_DIRNAME/../lab/udp_echo.py" server 9002
	wait_udp 9002
	covered timeout 30 python3 "$BATS_TEST_DIRNAME/../lab/udp_echo.py" "$1" 10.9.0.2 9002 &
	local pid=$!
	sleep 1
	lab_event wlan0 carrier-off
	sleep 1.5
	lab_event wlan0 carrier-on
	wait "$pid"
	grep -q 'datagrams now over wwan0' "$lab_dir/client.log"
}

@test "a connected datagram socket moves" {
	exchange connected
}

@test "a datagram socket without a peer moves" {
	exchange unconnected
}

@test "dig gets its answers before and after a loss" {
	lab_spawn server /dev/null python3 "$BATS_TEST_DIRNAME/../lab/udp_echo.py" dns 5353
	wait_udp 5353
	covered dig +short +tries=2 +time=3 -p 5353 @10.9.0.2 example.test A | grep -qx 192.0.2.1
	lab_event wlan0 carrier-off
	covered dig +short +tries=3 +time=2 -p 5353 @10.9.0.2 example.test A | grep -qx 192.0.2.1
}

@test "re-dial with replay = line loses no line" {
	local i
	lab_spawn server "$lab_dir/lines" timeout 60 socat -u TCP-LISTEN:9100,reuseaddr,fork STDOUT
	wait_port 9100
	mkfifo "$lab_dir/fifo"
	covered timeout 60 nc 10.9.0.2 9100 <"$lab_dir/fifo" &
	exec 7>"$lab_dir/fifo"
	for ((i = 0; i < 60; i++)); do
		echo "line $i of the log" >&7
		case $i in
		20) lab_event wlan0 down ;;
		40) lab_event wlan0 up ;;
		esac
		sleep 0.05
	done
	sleep 2
	exec 7>&-
	# At least once, in order, none torn.
	[ "$(uniq "$lab_dir/lines")" = "$(for ((i = 0; i < 60; i++)); do echo "line $i of the log"; done)" ]
}
