#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Plain connections that are dialled again between two records.

load helper

setup() {
	need_lab
	start_lab
	cat >"$lab_dir/policy.conf" <<-'END'
		stability { spread = 0  damp = 0 }
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100 }
		peer "*:9100" { continuity = redial  replay = line }
		peer "*:9101" { continuity = redial  replay = length-prefix  length { width = 4 } }
		peer "*:9102" { continuity = redial  replay = length-prefix  length { offset = 1  width = varint } }
		peer "*:9103" { continuity = redial  replay = length-prefix  length { width = decimal } }
		peer "*:9104" { continuity = redial  replay = none  records = line }
		peer "*:514" { continuity = redial  replay = line }
		peer "*:601" { continuity = redial  replay = length-prefix  length { width = decimal } }
		peer "*" { continuity = none }
	END
}

teardown() {
	stop_lab
}

# Once something has come on each of these ports.
losses() { # PORT...
	local i port
	for port in "$@"; do
		for ((i = 0; i < 150; i++)); do
			[ -s "$lab_dir/got-$port" ] && break
			sleep 0.1
		done
	done
	sleep 0.3
	lab_event wlan0 down
	sleep 1
	lab_event wlan0 up
	sleep 1
	lab_event wlan0 carrier-off
	sleep 0.7
	lab_event wlan0 carrier-on
}

frame() {
	case $1 in 9101) echo pickle ;; 9102) echo mqtt ;; 9103 | 601) echo counted ;; *) echo line ;; esac
}

@test "records of every kind go on whole" {
	local port pids=() ports='9100 9101 9102 9103 9104'
	for port in $ports; do
		lab_spawn server "$lab_dir/got-$port" python3 "$lab_root/tests/lab/records.py" serve "$port" "$(frame "$port")"
	done
	for port in $ports; do
		wait_port "$port"
		covered env MIFCONT_LOG="debug:$lab_dir/client-$port.log" timeout 60 python3 \
			"$lab_root/tests/lab/records.py" send 10.9.0.2 "$port" "$(frame "$port")" 150 30 &
		pids+=($!)
	done
	# shellcheck disable=SC2086  # words are meant to split
	losses $ports
	wait "${pids[@]}"
	for port in $ports; do
		[ "$(grep -c ': on w' "$lab_dir/client-$port.log")" -ge 2 ] || { tail -n 20 "$lab_dir/client-$port.log"; return 1; }
		# Each at least once, none torn, in order but for those that came twice.
		[ "$port" = 9104 ] || [ "$(awk '!seen[$0]++' "$lab_dir/got-$port")" = "$(seq 0 149)" ] ||
			{ echo "port $port"; uniq "$lab_dir/got-$port" | tr '\n' ' '; return 1; }
	done
	# None twice and none torn; what was under way when a path was lost is not there.
	[ "$(sort -n "$lab_dir/got-9104")" = "$(sort -nu "$lab_dir/got-9104")" ]
	run grep -vxE '[0-9]+' "$lab_dir/got-9104"
	[ "$status" = 1 ]
	[ "$(wc -l <"$lab_dir/got-9104")" -ge 100 ]
}

@test "a peer that ends every connection, or takes none, is no lost path" {
	lab_spawn server /dev/null timeout 40 python3 -c '
import socket
s = socket.create_server(("", 9100))
while True:
    c, _ = s.accept()
    c.recv(10)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    c.close()'
	lab_spawn server /dev/null timeout 20 python3 -c '
import socket
s = socket.create_server(("", 9104))
c, _ = s.accept()
s.close()
c.recv(10)
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")'
	local refused=$lab_pid
	wait_port 9100
	wait_port 9104
	covered timeout 50 python3 -c '
import socket, sys, time
for port in 9100, 9104:
    s = socket.create_connection(("10.9.0.2", port))
    until = time.monotonic() + 20
    try:
        while time.monotonic() < until:
            s.sendall(b"a line\n")
            time.sleep(0.02)
    except (ConnectionResetError, BrokenPipeError):
        continue
    sys.exit("port %d: no error" % port)'
	is_over "$refused"
}

# rsyslogd as it is, from a pipe to a TCP server.
shipper() { # PORT ACTION-PARAMETERS
	mkfifo "$lab_dir/pipe-$1"
	cat >"$lab_dir/rsyslog-$1.conf" <<-END
		global(workDirectory="$lab_dir")
		module(load="imfile" mode="inotify")
		input(type="imfile" file="$lab_dir/log" tag="t" freshStartTail="off")
		action(type="omfwd" target="10.9.0.2" port="$1" protocol="tcp" $2)
	END
	in_client env LD_PRELOAD="$lab_build/libmifcont.so" MIFCONT_POLICY="$lab_dir/policy.conf" \
		MIFCONT_LOG="debug:$lab_dir/client-$1.log" rsyslogd -n -f "$lab_dir/rsyslog-$1.conf" -i "$lab_dir/rsyslog-$1.pid" \
		>"$lab_dir/rsyslog-$1.out" 2>&1 3>&- &
	echo $! >>"$lab_dir/pids"
}

@test "rsyslogd ships every line, by newlines and by counts" {
	command -v rsyslogd >/dev/null || skip "no rsyslogd"
	local i port
	: >"$lab_dir/log"
	for port in 514 601; do
		lab_spawn server "$lab_dir/got-$port" python3 "$lab_root/tests/lab/records.py" syslog "$port" \
			"$(frame "$port")"
		wait_port "$port"
	done
	shipper 514 ''
	shipper 601 'tcp_framing="octet-counted"'
	(for ((i = 0; i < 120; i++)); do
		[ "$i" != 5 ] || sleep 1
		echo "line number $i" >>"$lab_dir/log"
		sleep 0.03
	done) &
	local writer=$!
	losses 514 601
	wait "$writer"
	for port in 514 601; do
		for ((i = 0; i < 50; i++)); do
			grep -qx 119 "$lab_dir/got-$port" && break
			sleep 0.1
		done
		[ "$(awk '!seen[$0]++' "$lab_dir/got-$port")" = "$(seq 0 119)" ] ||
			{ echo "port $port"; uniq "$lab_dir/got-$port" | tr '\n' ' '; tail -n 20 "$lab_dir/client-$port.log" "$lab_dir/rsyslog-$port.out"; return 1; }
		grep -q ': on w' "$lab_dir/client-$port.log"
	done
}

@test "logger sends every line of a pipe, by newlines and by counts" {
	local port pids=()
	for port in 514 601; do
		lab_spawn server "$lab_dir/got-$port" python3 "$lab_root/tests/lab/records.py" syslog "$port" "$(frame "$port")"
		wait_port "$port"
	done
	mkfifo "$lab_dir/514" "$lab_dir/601"
	covered timeout 30 logger -T -n 10.9.0.2 -P 514 --rfc3164 <"$lab_dir/514" &
	pids+=($!)
	covered timeout 30 logger -T -n 10.9.0.2 -P 601 --octet-count <"$lab_dir/601" &
	pids+=($!)
	(for ((i = 0; i < 100; i++)); do
		echo "line number $i"
		sleep 0.04
	done; sleep 1) | tee "$lab_dir/514" >"$lab_dir/601" &
	losses 514 601
	wait "${pids[@]}"
	for port in 514 601; do
		for ((i = 0; i < 50; i++)); do
			grep -qx 99 "$lab_dir/got-$port" && break
			sleep 0.1
		done
		[ "$(awk '!seen[$0]++' "$lab_dir/got-$port")" = "$(seq 0 99)" ] ||
			{ echo "port $port"; uniq "$lab_dir/got-$port" | tr '\n' ' '; return 1; }
	done
	[ "$(handovers)" -ge 2 ]
}
