#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# An unmodified curl downloads while the better interface comes and goes.

load helper

setup() {
	need_lab
	start_lab 5 200 0
}

teardown() {
	stop_lab
}

@test "a download goes through losses and returns of the better interface" {
	local mb=80 flaps=4
	[ -z "${MIFCONT_LONG:-}" ] || { mb=400 flaps=12; }
	serve_file "$mb"
	covered curl -sS --max-time 120 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$!
	flap "$pid" "$flaps" 300 900
	wait "$pid"
	same "$lab_dir/www/file" "$lab_dir/out"
	[ "$(handovers)" -ge 2 ]
}

@test "the same over IPv6" {
	serve_file 40
	covered curl -sS --max-time 60 -o "$lab_dir/out" 'http://[fd00:9::2]:8080/file' &
	local pid=$!
	flap "$pid" 2 300 600
	wait "$pid"
	same "$lab_dir/www/file" "$lab_dir/out"
	[ "$(handovers)" -ge 1 ]
}

@test "wget downloads, too" {
	serve_file 40
	covered wget -q -T 30 -O "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$!
	flap "$pid" 2 300 600
	wait "$pid"
	same "$lab_dir/www/file" "$lab_dir/out"
	[ "$(handovers)" -ge 1 ]
}
