#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the relay accepts, refuses and survives.

load helper

teardown() {
	[ -z "${lab:-}" ] || stop_lab
}

relay() {
	timeout 5 "$lab_build/mifcont-relay" --state-dir "$BATS_TEST_TMPDIR/state" "$@"
}

@test "no allowed port: it does not start, and says why" {
	run relay --listen 127.0.0.1:0
	[ "$status" = 2 ]
	[[ $output == *"no --allow PORT"* ]]
}

@test "wrong options are refused with what was expected" {
	for option in "--allow 0" "--allow 70000" "--allow http" "--allow 22 --linger 5" "--allow 22 --ring 1" \
		"--allow 22 --log loud" "--allow 22 --max-memory x" \
		"--allow 22 --keepalive 10h"; do
		# shellcheck disable=SC2086
		run relay $option
		[ "$status" = 2 ]
		[[ $output == *expected* ]]
	done
	run relay --allow 22 --listen nonsense
	[ "$status" = 1 ]
	[[ $output == *expected* ]]
}

@test "the key is kept from start to start, and a careless one refused" {
	run timeout 1 "$lab_build/mifcont-relay" --state-dir "$BATS_TEST_TMPDIR/state" --allow 22 --listen 127.0.0.1:17343
	first=$(grep -o 'relay key .*' <<<"$output")
	[ -n "$first" ]
	[ "$(stat -c %a "$BATS_TEST_TMPDIR/state/relay.key")" = 600 ]
	run timeout 1 "$lab_build/mifcont-relay" --state-dir "$BATS_TEST_TMPDIR/state" --allow 22 --listen 127.0.0.1:17343
	[ "$(grep -o 'relay key .*' <<<"$output")" = "$first" ]
	chmod 644 "$BATS_TEST_TMPDIR/state/relay.key"
	run relay --allow 22 --listen 127.0.0.1:17343
	[ "$status" = 1 ]
	[[ $output == *"expected mode 600"* ]]
	chmod 600 "$BATS_TEST_TMPDIR/state/relay.key"
	echo more >>"$BATS_TEST_TMPDIR/state/relay.key"
	run relay --allow 22 --listen 127.0.0.1:17343
	[ "$status" = 1 ]
	[[ $output == *"expected a key"* ]]
}

# When the kernel is going to ask after a session at rest, of both its connections, as ss says it: in "said".
asked_after() { # OPTION...
	local pid i
	kill "$relay_pid"
	is_over "$relay_pid"
	lab_spawn server "$lab_dir/relay.log" "$lab_build/mifcont-relay" --state-dir "$lab_dir/state" --allow 9001 "$@"
	relay_pid=$lab_pid
	wait_port 7343
	covered timeout 20 python3 -c 'import socket, sys; s = socket.create_connection(("10.9.0.2", 9001)); sys.stdin.read()' \
		< <(sleep 3) 3>&- &
	pid=$!
	for ((i = 0; i < 50; i++)); do
		said=$(in_server ss -Htno state established "sport = :7343" | grep -o 'keepalive,[^,]*' | sort -u)
		[ "$(grep -c . <<<"$said")" = 0 ] || break
		sleep 0.1
	done
	wait "$pid"
	echo "$said"
}

@test "a connection at rest is asked after as rarely as the operator says" {
	local said
	need_lab
	start_lab
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9001
	wait_port 9001
	asked_after
	[[ $said == keepalive,14min* ]]
	asked_after --keepalive 200s
	[[ $said == keepalive,3min* ]]
}

@test "garbage and half-open connections do not disturb a session" {
	need_lab
	start_lab
	serve_file 60
	covered curl -sS --limit-rate 15M --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$! before after
	sleep 0.5
	before=$(awk '/VmRSS/ {print $2}' "/proc/$relay_pid/status")
	in_client timeout 30 python3 "$BATS_TEST_DIRNAME/../lab/abuse.py" 10.9.0.2 7343
	lab_event wlan0 down
	wait "$pid"
	same "$lab_dir/www/file" "$lab_dir/out"
	[ "$(handovers)" -ge 1 ]
	kill -0 "$relay_pid"
	after=$(awk '/VmRSS/ {print $2}' "/proc/$relay_pid/status")
	# Rings of the session aside (16 MB each way), nothing has grown.
	echo "relay: $before kB before, $after kB after"
	[ "$after" -lt $((before + 40000)) ]
}

@test "a program killed while it talks ends its server connection" {
	need_lab
	start_lab
	lab_spawn server "$lab_dir/got" timeout 60 socat -u TCP-LISTEN:9000 STDOUT
	local server=$lab_pid i
	wait_port 9000
	mkfifo "$lab_dir/fifo"
	covered nc 10.9.0.2 9000 <"$lab_dir/fifo" &
	local client=$!
	exec 7>"$lab_dir/fifo"
	echo hello >&7
	sleep 1
	kill -9 "$(pgrep -P "$client" -x nc || echo "$client")"
	exec 7>&-
	for ((i = 0; i < 80; i++)); do
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	[ ! -d "/proc/$server" ]
	[ "$(cat "$lab_dir/got")" = hello ]
}

# A client that speaks the protocol itself, and is the service, too; all in a network namespace of its own.
protocol() {
	unshare -n bash -c '
		ip link set lo up
		"$1/mifcont-relay" --listen 127.0.0.1:7343 --allow 9000 --linger "$4" --rate 100000 --state-dir "$2" --log "$5" &
		relay=$!
		for ((i = 0; i < 100; i++)); do
			ss -Hltn "sport = :7343" | grep -q . && break
			sleep 0.05
		done
		timeout 60 "$1/lab/relay_client" 127.0.0.1 7343 9000 "$relay" "$3"
		status=$?
		kill "$relay" 2>/dev/null
		exit "$status"' - "$lab_build" "$BATS_TEST_TMPDIR/state" "$1" "${2:-1s}" "${3:-debug}"
}

@test "unlisted ports, other addresses and replayed requests are refused, real errors passed on" {
	need_lab
	protocol refusals
}

@test "a session killed forty times is resumed byte by byte" {
	need_lab
	protocol resume
}

@test "a service's reset reaches the client after the bytes before it" {
	need_lab
	protocol target-reset
}

@test "one connection is held ready for a client that has a session, however many it asks for" {
	need_lab
	protocol standby
}

@test "a relay that is killed or stopped ends no stream" {
	need_lab
	protocol relay-killed
	protocol relay-ended
}

@test "a client that vanishes is a reset after the linger time, one that exits an end" {
	need_lab
	protocol lingered
	protocol process-over
}

@test "a FIN that nobody announced ends nothing" {
	need_lab
	# Longer than the test looks: that nobody announced it is a reason to let the session wait, from 2 s on.
	protocol false-fin 20s
}

@test "ten thousand detached sessions in a stated amount of memory" {
	need_lab
	[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 11000 ] || skip "no right to 11000 descriptors"
	protocol detached 1h info
}
