#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every way to lose an interface.

load helper

setup() {
	need_lab
	start_lab 5 100 0
}

teardown() {
	stop_lab
}

lost_by() { # HOW BACK
	serve_file 30
	covered curl -sS --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$!
	sleep 0.5
	lab_event wlan0 "$1"
	sleep 1
	lab_event wlan0 "$2"
	wait "$pid"
	same "$lab_dir/www/file" "$lab_dir/out"
	[ "$(handovers)" -ge 1 ]
}

@test "carrier lost" {
	lost_by carrier-off carrier-on
}

@test "address removed" {
	lost_by addr-del addr-add
}

@test "interface deleted" {
	lost_by delete create
}

@test "both away for some seconds, then one returns" {
	serve_file 30
	covered curl -sS --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$!
	sleep 0.5
	lab_event wlan0 down
	lab_event wwan0 down
	sleep 6
	kill -0 "$pid"
	lab_event wwan0 up
	wait "$pid"
	same "$lab_dir/www/file" "$lab_dir/out"
}

@test "a download that never leaves the better interface when nothing happens" {
	serve_file 20
	covered curl -sS --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file
	same "$lab_dir/www/file" "$lab_dir/out"
	[ "$(handovers)" -eq 0 ]
}
