#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The library inside unmodified programs, through handovers, watched by the address sanitizer and by valgrind:
# no invalid access, nothing lost, nothing left behind.

load helper

setup() {
	need_lab
	start_lab 5 200 0
	serve_file 30
}

teardown() {
	stop_lab
}

# The library built with the sanitizers, inside a program that was not: what they find goes to files of its own. The
# interpreter keeps memory of its own to the end, so a leak counts when its stack names the library.
sanitized() {
	in_client env LD_PRELOAD="$(gcc -print-file-name=libasan.so) $lab_root/build-asan/libmifcont.so" \
		ASAN_OPTIONS="log_path=$lab_dir/asan:detect_leaks=1:handle_segv=0:fast_unwind_on_malloc=0" \
		LSAN_OPTIONS=exitcode=0 UBSAN_OPTIONS="log_path=$lab_dir/asan:print_stacktrace=1" PYTHONMALLOC=malloc \
		MIFCONT_POLICY="$lab_dir/policy.conf" MIFCONT_LOG="debug:$lab_dir/client.log" "$@"
}

# Before anything begins to happen: it takes its time.
build_sanitized() {
	make -s -C "$lab_root" B=build-asan SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined' \
		CFLAGS='-O1 -g' build-asan/libmifcont.so >"$lab_dir/build.log" 2>&1 || { cat "$lab_dir/build.log"; return 1; }
}

serve_echo() {
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
}

no_report() {
	local f
	for f in "$lab_dir"/asan.*; do
		[ -e "$f" ] || continue
		if grep -qE 'ERROR: AddressSanitizer|runtime error' "$f" || grep -q 'libmifcont' "$f"; then
			head -n 80 "$f"
			return 1
		fi
	done
}

@test "50 flows in 100 threads under the address sanitizer, flaps 50 to 400 ms apart: no invalid access, no leak" {
	build_sanitized
	lab_spawn server "$lab_dir/echo.log" python3 "$BATS_TEST_DIRNAME/../lab/echo_server.py" 9001
	wait_port 9001
	mkfifo "$lab_dir/fifo"
	sanitized timeout 100 python3 "$BATS_TEST_DIRNAME/../lab/echo_many.py" 10.9.0.2 9001 50 300000 <"$lab_dir/fifo" &
	local pid=$!
	exec 7>"$lab_dir/fifo"
	opened 50
	flap "$pid" 12 50 400
	exec 7>&-
	wait "$pid"
	no_report
	[ "$(handovers)" -ge 10 ]
}

@test "curl under valgrind: no error, nothing definitely lost" {
	covered valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99 \
		--log-file="$lab_dir/valgrind" curl -sS --limit-rate 4M -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$!
	opened 1
	flap "$pid" 5 400 900
	wait "$pid" || { head -n 60 "$lab_dir/valgrind"; return 1; }
	same "$lab_dir/out" "$lab_dir/www/file"
	[ "$(handovers)" -ge 3 ]
}

# Threads that end and handlers that jump leave frames behind that nothing may look at any more.
@test "threads and signal handlers under the address sanitizer" {
	build_sanitized
	serve_echo
	covered() { sanitized "$@"; }
	trial threads mortals
	trial threads cancel
	trial threads cancel-writer
	trial signals jumps
	trial signals writes-within
	no_report
	[ "$(handovers)" -ge 10 ]
}

@test "waits, threads and signal handlers under valgrind" {
	local watched="valgrind --quiet --trace-children=yes --error-exitcode=99 --log-file=$lab_dir/valgrind"
	serve_echo
	trial waits waitall
	trial threads cancel
	trial signals jumps
	trial signals writes-within
	# connect() asks the kernel whether a pointer can be read, in a way that valgrind remarks upon.
	sed -i "/sigprocmask: unknown 'how' field/d" "$lab_dir/valgrind"
	cat "$lab_dir/valgrind"
	[ ! -s "$lab_dir/valgrind" ]
	[ "$(handovers)" -ge 10 ]
}
