#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Two relays behind one address: opened through the balancer, resumed at the right one, drained, replaced.

load helper

setup() {
	need_lab
	lab_up 2 200 0
	cat >"$lab_dir/policy.conf" <<-'END'
		stability { damp = 0 }
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100 }
		peer "*" { continuity = session }
	END
	cat >"$lab_dir/haproxy.cfg" <<-'END'
		defaults
			mode tcp
			timeout connect 5s
			timeout client 1h
			timeout server 1h
		listen relays
			bind 10.9.0.2:7343
			balance roundrobin
			server a 10.9.0.2:7001
			server b 10.9.0.2:7002
	END
	mkdir -p "$lab_dir/a" "$lab_dir/b"
	relay a 7001
	relay_a=$lab_pid
	# One name, one key.
	cp -p "$lab_dir/a/relay.key" "$lab_dir/b/relay.key"
	relay b 7002
	relay_b=$lab_pid
	lab_spawn server "$lab_dir/haproxy.log" haproxy -db -f "$lab_dir/haproxy.cfg"
	wait_port 7343
}

teardown() {
	[ -z "${lab:-}" ] || stop_lab
}

relay() { # NAME PORT
	lab_spawn server "$lab_dir/$1.log" "$lab_build/mifcont-relay" --state-dir "$lab_dir/$1" --log debug \
		--listen "10.9.0.2:$2" --advertise "10.9.0.2:$2" --allow 9001 --allow 8080
	wait_port "$2"
}

sessions() { # NAME: opened so far
	grep -c 'session .* open$' "$lab_dir/$1.log" || :
}

wait_sessions() { # HOW MANY, at both relays together
	local i
	for ((i = 0; i < 100 && $(sessions a) + $(sessions b) < $1; i++)); do sleep 0.05; done
}

associations() {
	grep -c 'new association' "$lab_dir/$1.log" || :
}

@test "opened through the balancer, resumed at the relay that has the session" {
	serve_file 20
	local i pids=()
	for i in 1 2 3 4; do
		covered curl -sS --limit-rate 4M --max-time 60 -o "$lab_dir/out$i" http://10.9.0.2:8080/file &
		pids+=($!)
		wait_sessions "$i"
		# Whoever begins is sent to the relay whose turn it is, and takes more than one turn: how many depends on the
		# moment. A turn is taken from them until the next falls on a relay that has nobody yet.
		[ "$(associations a)" -ge 1 ] && [ "$(associations b)" -ge 1 ] || [ $((i % 2)) = 0 ] ||
			in_client bash -c 'exec 3<>/dev/tcp/10.9.0.2/7343'
	done
	flap "${pids[3]}" 3 400 700
	for i in 1 2 3 4; do
		wait "${pids[i - 1]}"
		same "$lab_dir/out$i" "$lab_dir/www/file"
	done
	# The balancer has spread them.
	[ "$(associations a)" -ge 1 ]
	[ "$(associations b)" -ge 1 ]
	[ "$(sessions a)" -ge 1 ]
	[ "$(sessions b)" -ge 1 ]
	[ "$(($(sessions a) + $(sessions b)))" = 4 ]
	[ "$(handovers)" -ge 8 ]
}

@test "a relay that leaves keeps its sessions to their end, and new ones go to the other" {
	lab_spawn server "$lab_dir/echo.log" python3 "$BATS_TEST_DIRNAME/../lab/echo_server.py" 9001
	wait_port 9001
	covered timeout 60 python3 "$BATS_TEST_DIRNAME/../lab/goes_on.py" 10.9.0.2 9001 "$lab_dir/more" &
	local pid=$! mine=$relay_a its=a other=b i
	for ((i = 0; i < 50 && $(sessions a) + $(sessions b) == 0; i++)); do sleep 0.1; done
	[ "$(sessions a)" = 1 ] || { mine=$relay_b its=b other=a; }
	[ "$(sessions "$its")" = 1 ]
	kill -USR2 "$mine"
	sleep 0.5
	# The session goes on, over a handover as well, and the process opens others at the other relay.
	lab_event wlan0 down
	sleep 0.5
	lab_event wlan0 up
	touch "$lab_dir/more"
	wait "$pid"
	[ "$(sessions "$its")" = 1 ]
	[ "$(sessions "$other")" -ge 3 ]
	grep -q 'is leaving' "$lab_dir/client.log"
	# Its last session is over.
	is_over "$mine"
	# A process that starts now is sent on by the relay that is gone, or by the one that leaves.
	covered timeout 20 python3 -c '
import socket
s = socket.create_connection(("10.9.0.2", 9001)); s.sendall(b"x"); assert s.recv(1) == b"x"'
}
