#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Boxes in between that acknowledge what they only hold, forget what they knew, or swallow everything.

load helper
source "$BATS_TEST_DIRNAME/../lab/trouble.sh"

setup() {
	need_lab
	start_lab 5 100 0
	in_router nft list ruleset >/dev/null 2>&1 || skip "no nftables here"
}

teardown() {
	[ -z "${lab:-}" ] || stop_lab
}

@test "a download through a split-TCP box that dies with what it holds, again and again" {
	command -v haproxy >/dev/null || skip "no haproxy"
	serve_file 30
	trouble_box
	covered curl -sS --limit-rate 6M --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$! i
	for i in 1 2 3; do
		sleep 0.6
		lab_event wlan0 down
		trouble_box_killed
		sleep 0.6
		lab_event wlan0 up
		sleep 0.3
		trouble_box_killed
	done
	wait "$pid"
	same "$lab_dir/out" "$lab_dir/www/file"
	[ "$(handovers)" -ge 6 ]
}

@test "an upload through it" {
	command -v haproxy >/dev/null || skip "no haproxy"
	head -c 20000000 /dev/urandom >"$lab_dir/data"
	trouble_box
	lab_spawn server "$lab_dir/got" timeout 60 nc -l -N 9000
	local server=$lab_pid i
	wait_port 9000
	covered timeout 60 nc -N 10.9.0.2 9000 <"$lab_dir/data" &
	local pid=$!
	for i in 1 2 3; do
		sleep 0.3
		trouble_box_killed
		sleep 0.3
		lab_event wlan0 down
		trouble_box_killed
		sleep 0.3
		lab_event wlan0 up
	done
	wait "$pid"
	wait "$server"
	same "$lab_dir/data" "$lab_dir/got"
	[ "$(handovers)" -ge 5 ]
}

@test "an address translation that forgets every mapping" {
	command -v conntrack >/dev/null || skip "no conntrack"
	serve_file 20
	trouble_nat
	covered curl -sS --limit-rate 5M --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$! i
	for i in 1 2 3 4; do
		sleep 0.7
		trouble_rebind
	done
	wait "$pid"
	same "$lab_dir/out" "$lab_dir/www/file"
}

@test "a path that swallows everything for a while, with its link up" {
	serve_file 20
	covered curl -sS --limit-rate 5M --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$!
	sleep 0.7
	trouble_blackhole wlan0 on
	sleep 2
	trouble_blackhole wlan0 off
	wait "$pid"
	same "$lab_dir/out" "$lab_dir/www/file"
}

@test "a process that sleeps while its paths die goes on when it wakes" {
	serve_file 20
	covered curl -sS --limit-rate 5M --max-time 90 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$! curl
	sleep 1
	# The program itself, not what started it.
	curl=$(in_client ss -Htnp 'dport = :7343' | grep -o 'pid=[0-9]*' | head -n 1 | cut -d= -f2)
	kill -STOP "$curl"
	lab_event wlan0 down
	lab_event wwan0 down
	sleep 5
	lab_event wwan0 up
	kill -CONT "$curl"
	wait "$pid"
	same "$lab_dir/out" "$lab_dir/www/file"
}

@test "a client that is killed ends its server's connection within seconds, through the box as well" {
	command -v haproxy >/dev/null || skip "no haproxy"
	trouble_box
	lab_spawn server "$lab_dir/got" timeout 60 nc -l 9000
	local server=$lab_pid nc
	wait_port 9000
	mkfifo "$lab_dir/fifo"
	covered nc 10.9.0.2 9000 <"$lab_dir/fifo" &
	exec 7>"$lab_dir/fifo"
	echo hello >&7
	sleep 1
	nc=$(in_client ss -Htnp 'dport = :7343' | grep -o 'pid=[0-9]*' | head -n 1 | cut -d= -f2)
	kill -9 "$nc"
	is_over "$server" 7>&-
	exec 7>&-
	[ "$(cat "$lab_dir/got")" = hello ]
}
