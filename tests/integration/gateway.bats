#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# A relay that is not beside the service but somewhere else: for listed clients, by name, with pinned keys.

load helper

setup() {
	need_lab
	lab_up 2 200 0
	lab_names vps.lab=2001:db8::7 vps.lab=10.9.0.1 web.lab=10.9.0.2 hidden.lab=203.0.113.9@10.1 hidden.lab=203.0.113.9@10.2 \
		hidden.lab=10.9.0.2@10.9 home.lab=203.0.113.9@10.1 home.lab=203.0.113.9@10.2 home.lab=127.0.0.1@10.9
	cat >"$lab_dir/policy.conf" <<-'END'
		stability { damp = 0 }
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100 }
		peer "*.lab" { continuity = session relay = "vps.lab:7343" }
		peer "*:9000" { continuity = session relay = "10.9.0.1:7343" }
		peer "*" { continuity = none }
	END
}

teardown() {
	[ -z "${lab:-}" ] || stop_lab
}

# The relay, on the router; the arguments are further options.
start_gateway() {
	lab_spawn router "$lab_dir/relay.log" bash "$lab_dir/resolving" "$lab_build/mifcont-relay" --state-dir "$lab_dir/state" --log debug \
		--authorized-clients "$lab_dir/clients" "$@"
	relay_pid=$lab_pid
	lab_wait_port router 7343 || { cat "$lab_dir/relay.log"; return 1; }
}

covered() {
	in_client env LD_PRELOAD="$lab_build/libmifcont.so" MIFCONT_POLICY="$lab_dir/policy.conf" \
		MIFCONT_LOG="debug:$lab_dir/client.log" bash "$lab_dir/resolving" "$@"
}

none() {
	[ "$(grep -c "$1" "$2")" = 0 ]
}

list_me() {
	echo "$("$lab_build/mifcont" keygen 2>/dev/null) $*" >"$lab_dir/clients"
}

@test "a download by name through a relay elsewhere, through losses and returns" {
	list_me '*.lab:8080'
	start_gateway
	serve_file 40
	covered curl -sS --limit-rate 8M --max-time 60 -o "$lab_dir/out" http://web.lab:8080/file &
	local pid=$!
	flap "$pid" 4 400 900
	wait "$pid"
	same "$lab_dir/out" "$lab_dir/www/file"
	[ "$(handovers)" -ge 3 ]
	grep -q '^10.9.0.1 web.lab' "$lab_dir/dns.log"
}

@test "the relay resolves the name: an address that only it knows is reached" {
	list_me '*.lab:8080'
	start_gateway
	serve_file 1
	covered curl -sS --max-time 20 -o "$lab_dir/out" http://hidden.lab:8080/file
	same "$lab_dir/out" "$lab_dir/www/file"
}

@test "a client that is not listed, or whose list has no such target, goes straight" {
	serve_file 1
	echo '# nobody' >"$lab_dir/clients"
	start_gateway
	covered curl -sS --max-time 20 -o "$lab_dir/out" http://web.lab:8080/file
	same "$lab_dir/out" "$lab_dir/www/file"
	grep -q 'refused: the client is not listed' "$lab_dir/relay.log"
	list_me '10.9.0.2:22'
	kill -HUP "$relay_pid"
	sleep 0.5
	rm -f "$lab_dir/out"
	covered curl -sS --max-time 20 -o "$lab_dir/out" http://web.lab:8080/file
	same "$lab_dir/out" "$lab_dir/www/file"
	grep -q 'refused: not allowed' "$lab_dir/relay.log"
	none 'session .* open' "$lab_dir/relay.log"
}

@test "a name that stands for the relay's own loopback opens nothing" {
	list_me '*:*'
	start_gateway
	lab_spawn router "$lab_dir/lo.log" python3 -m http.server 8080 --bind 127.0.0.1 --directory "$lab_dir"
	sleep 0.5
	run covered curl -sS --max-time 3 http://home.lab:8080/
	[ "$status" != 0 ]
	none 'session .* open' "$lab_dir/relay.log"
	grep -q 'home.lab refused: it stands for addresses' "$lab_dir/relay.log"
	# Where the address itself is listed it is meant.
	list_me '*:*' '127.0.0.0/8:8080'
	kill -HUP "$relay_pid"
	sleep 0.5
	covered curl -sS --max-time 10 http://home.lab:8080/
}

@test "the file of clients: mistakes are named, and the list before stays" {
	echo 'nonsense *:22' >"$lab_dir/clients"
	run "$lab_build/mifcont-relay" --state-dir "$lab_dir/state" --authorized-clients "$lab_dir/clients" --listen 127.0.0.1:0
	[ "$status" = 1 ]
	[[ $output == *"clients:1: not understood; expected a client's public key"* ]]
	run "$lab_build/mifcont-relay" --state-dir "$lab_dir/state" --allow '*:22'
	[ "$status" = 2 ]
	[[ $output == *"without --authorized-clients"* ]]
	list_me '*.lab:8080'
	start_gateway
	serve_file 1
	echo 'nonsense' >>"$lab_dir/clients"
	kill -HUP "$relay_pid"
	sleep 0.5
	grep -q 'clients:2: not understood' "$lab_dir/relay.log"
	covered curl -sS --max-time 20 -o "$lab_dir/out" http://web.lab:8080/file
	grep -q 'session .* open' "$lab_dir/relay.log"
}

@test "a relay whose key has changed is not used, and it is said what to do" {
	list_me '*.lab:8080'
	start_gateway
	serve_file 1
	covered curl -sS --max-time 20 -o "$lab_dir/out" http://web.lab:8080/file
	"$lab_build/mifcont" relays | grep -q '^vps.lab:7343 '
	kill "$relay_pid"
	while kill -0 "$relay_pid" 2>/dev/null; do sleep 0.05; done
	rm -r "$lab_dir/state"
	start_gateway
	rm -f "$lab_dir/out"
	covered curl -sS --max-time 20 -o "$lab_dir/out" http://web.lab:8080/file
	same "$lab_dir/out" "$lab_dir/www/file"
	none 'session .* open' "$lab_dir/relay.log"
	grep -q 'its key has changed .* mifcont relays forget vps.lab:7343' "$lab_dir/client.log"
	"$lab_build/mifcont" relays forget vps.lab:7343
	covered curl -sS --max-time 20 -o "$lab_dir/out" http://web.lab:8080/file
	grep -q 'session .* open' "$lab_dir/relay.log"
}

@test "a key in the policy is the only one" {
	list_me '*.lab:8080'
	start_gateway
	serve_file 1
	local key
	key=$(grep -o 'relay key .*' "$lab_dir/relay.log" | cut -d' ' -f3)
	sed -i "s|vps.lab:7343\"|& relay-key = \"$key\"|" "$lab_dir/policy.conf"
	covered curl -sS --max-time 20 -o "$lab_dir/out" http://web.lab:8080/file
	[ "$(grep -c 'session .* open' "$lab_dir/relay.log")" = 1 ]
	sed -i "s|relay-key = \"..|relay-key = \"00|" "$lab_dir/policy.conf"
	covered curl -sS --max-time 20 -o "$lab_dir/out" http://web.lab:8080/file
	[ "$(grep -c 'session .* open' "$lab_dir/relay.log")" = 1 ]
	grep -q 'not the relay-key of the policy (line 4)' "$lab_dir/client.log"
}

@test "a target that asks for it is told the client's address" {
	list_me '*:9000'
	start_gateway --proxy-protocol 9000
	lab_spawn server "$lab_dir/proxy.log" python3 "$BATS_TEST_DIRNAME/../lab/proxy_echo.py" 9000
	wait_port 9000
	run covered timeout 10 python3 -c '
import socket
print(socket.create_connection(("10.9.0.2", 9000)).recv(100).decode())'
	[[ $output == *"from 10.1.0.2 to 10.9.0.2 port 9000"* ]]
}

@test "one client opens no more than its rate" {
	list_me '*:9000'
	start_gateway --rate 1
	lab_spawn server "$lab_dir/echo.log" python3 "$BATS_TEST_DIRNAME/../lab/echo_server.py" 9000
	wait_port 9000
	covered timeout 30 python3 -c '
import socket
for i in range(30):
    s = socket.create_connection(("10.9.0.2", 9000)); s.sendall(b"x"); s.recv(1); s.close()'
	local opened
	opened=$(grep -c 'session .* open' "$lab_dir/relay.log")
	[ "$opened" -ge 5 ]
	[ "$opened" -le 15 ]
	grep -q 'refused: too many' "$lab_dir/relay.log"
}
