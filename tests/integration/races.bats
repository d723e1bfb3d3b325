#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The hooks, the agent and the nudges between them, watched by the thread sanitizer, inside programs built with it.

load helper

setup() {
	need_lab
	start_lab 2 100 0
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
	build_watched
	# Where addresses are spread over more bits than it knows, the sanitizer does not start.
	watched="env LD_PRELOAD=$lab_root/build-tsan/libmifcont.so TSAN_OPTIONS=log_path=$lab_dir/tsan:exitcode=0"
	if setarch -R true 2>/dev/null; then
		watched="$watched setarch -R"
	fi
	patience=90
	lab_build=$lab_root/build-tsan
}

teardown() {
	stop_lab
}

build_watched() {
	make -s -C "$lab_root" B=build-tsan SAN=-fsanitize=thread CFLAGS='-O1 -g' build-tsan/libmifcont.so \
		build-tsan/lab/threads build-tsan/lab/waits build-tsan/lab/signals >"$lab_dir/build.log" 2>&1 ||
		{ cat "$lab_dir/build.log"; return 1; }
}

# What it finds goes to files of its own; a race counts where it is the library's.
no_race() {
	local f
	for f in "$lab_dir"/tsan.*; do
		[ -e "$f" ] || continue
		if grep -q 'libmifcont' "$f"; then
			head -n 80 "$f"
			return 1
		fi
	done
}

through() { # PROGRAM NAME LEAST-HANDOVERS
	trial "$1" "$2"
	no_race
	[ "$(handovers)" -ge "$3" ]
}

@test "readers blocked on one socket" {
	through threads readers 4
}

@test "readers and writers at once" {
	through threads crowd 4
}

@test "poll, epoll, a descriptor that is registered anew and duplicated" {
	through waits poll 4
	through waits epoll 4
	through waits rearm 4
}

@test "signal handlers that write" {
	through signals writes 2
}
