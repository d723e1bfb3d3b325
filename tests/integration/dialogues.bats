#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Protocols that begin with a greeting or a login: the connection that takes another's place begins as it did.

load helper

setup() {
	need_lab
	start_lab
	cat >"$lab_dir/policy.conf" <<-'END'
		stability { spread = 0  damp = 0  outage = 500 }
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100 }
		peer "*:6379" {
			continuity = redial
			replay = none
			records = resp
			opening = recorded
			opening-words = "AUTH HELLO SELECT CLIENT"
			binding-words = "MULTI WATCH SUBSCRIBE PSUBSCRIBE MONITOR"
		}
		peer "*:1883" {
			continuity = redial
			replay = length-prefix
			length { offset = 1  width = varint }
			opening = recorded
		}
		peer "*:25" {
			continuity = redial
			records = line
			opening {
				expect = "220 *"
				send = "HELO again\r\n"
				expect = "250 *"
			}
		}
		peer "*" { continuity = none }
	END
}

teardown() {
	stop_lab
}

# Until the file has so many lines.
lines_in() { # FILE COUNT
	local i
	for ((i = 0; i < 100; i++)); do
		[ "$(wc -l <"$1")" -lt "$2" ] || return 0
		sleep 0.1
	done
	echo "$1 has only $(wc -l <"$1") lines"
	tail -n 3 "$1"
	return 1
}

# What a handover would do with the only flow.
prospect() {
	in_client "$lab_build/mifcont" status --json | jq -r '.[].flows[] | "\(.covered) \(.means): \(.handover)"'
}

start_redis() {
	command -v redis-server >/dev/null && command -v redis-cli >/dev/null || skip "no redis"
	lab_spawn server "$lab_dir/redis.log" redis-server --port 6379 --bind 0.0.0.0 --requirepass 'open sesame' --save '' \
		--dir "$lab_dir"
	wait_port 6379
	mkfifo "$lab_dir/commands"
	covered env REDISCLI_AUTH='open sesame' timeout 60 redis-cli -h 10.9.0.2 -n 3 <"$lab_dir/commands" >"$lab_dir/answers" 2>&1 &
	client=$!
	exec 7>"$lab_dir/commands"
}

@test "redis: AUTH and SELECT are said again, nothing else" {
	local i n=0 event
	start_redis
	for event in 'wlan0 down' 'wlan0 up' 'wlan0 carrier-off' 'wlan0 carrier-on'; do
		for ((i = 0; i < 5; i++)); do
			echo "INCR counter" >&7
			n=$((n + 1))
		done
		lines_in "$lab_dir/answers" "$n"
		[ "$(prospect)" = 'true opening: loses nothing' ]
		# shellcheck disable=SC2086  # words are meant to split
		lab_event $event
		sleep 0.7
	done
	exec 7>&-
	wait "$client"
	[ "$(cat "$lab_dir/answers")" = "$(seq "$n")" ]
	[ "$(in_server redis-cli -h 10.9.0.2 -a 'open sesame' -n 3 GET counter 2>/dev/null)" = "$n" ]
	[ "$(handovers)" -ge 2 ]
	# The password is nowhere.
	run grep -r sesame "$lab_dir/client.log"
	[ "$status" = 1 ]
}

@test "redis: a transaction is not cut in two, nor a request made twice" {
	start_redis
	printf 'INCR counter\nMULTI\nINCR counter\n' >&7
	lines_in "$lab_dir/answers" 3
	[ "$(prospect)" = 'false opening: ECONNRESET: a word that binds it to its connection' ]
	lab_event wlan0 down
	sleep 1.2
	printf 'EXEC\nGET counter\n' >&7
	lines_in "$lab_dir/answers" 4
	sleep 0.5
	exec 7>&-
	wait "$client" || :
	cat "$lab_dir/answers"
	grep -qi 'error' "$lab_dir/answers"
	[ "$(in_server redis-cli -h 10.9.0.2 -a 'open sesame' -n 3 GET counter 2>/dev/null)" = 1 ]
	grep -q 'binds it to its connection' "$lab_dir/client.log"
}

@test "mosquitto: subscriber and publisher of a session that persists" {
	command -v mosquitto >/dev/null && command -v mosquitto_sub >/dev/null || skip "no mosquitto"
	local i sub
	printf 'user root\nlistener 1883 10.9.0.2\nallow_anonymous true\nmax_queued_messages 0\n' >"$lab_dir/mosquitto.conf"
	lab_spawn server "$lab_dir/mosquitto.log" mosquitto -v -c "$lab_dir/mosquitto.conf"
	wait_port 1883
	covered env MIFCONT_LOG="debug:$lab_dir/sub.log" timeout 60 mosquitto_sub -h 10.9.0.2 -i subscriber -c -q 1 -t topic \
		>"$lab_dir/heard" 2>"$lab_dir/sub.err" &
	sub=$!
	sleep 0.5
	mkfifo "$lab_dir/messages"
	covered timeout 60 mosquitto_pub -h 10.9.0.2 -i publisher -c -q 1 -t topic -l <"$lab_dir/messages" 2>"$lab_dir/pub.err" &
	local pub=$!
	exec 7>"$lab_dir/messages"
	for ((i = 0; i < 120; i++)); do
		echo "$i" >&7
		case $i in
		30) lab_event wlan0 down ;;
		60) lab_event wlan0 up ;;
		90) lab_event wlan0 carrier-off ;;
		esac
		sleep 0.03
	done
	exec 7>&-
	wait "$pub"
	for ((i = 0; i < 50; i++)); do
		grep -qx 119 "$lab_dir/heard" && break
		sleep 0.1
	done
	kill "$sub"
	cat "$lab_dir/sub.err" "$lab_dir/pub.err"
	[ "$(awk '!seen[$0]++' "$lab_dir/heard")" = "$(seq 0 119)" ] || { tr '\n' ' ' <"$lab_dir/heard"; tail -n 20 "$lab_dir/sub.log"; return 1; }
	[ "$(handovers)" -ge 1 ]
	grep -q ': on w' "$lab_dir/sub.log"
}

@test "a script in the policy, and a server that answers it otherwise" {
	lab_spawn server "$lab_dir/mail.log" timeout 60 python3 -u -c '
import socket, threading
n = 0
def serve(c, n):
    f = c.makefile("rwb", buffering=0)
    f.write(b"220 mail\r\n" if n < 3 else b"554 not today\r\n")
    for line in f:
        print(n, line.decode().strip())
        f.write(b"250-more\r\n250 fine\r\n" if line.startswith(b"HELO") else b"250 %d\r\n" % n)
s = socket.create_server(("", 25))
while True:
    n += 1
    threading.Thread(target=serve, args=(s.accept()[0], n), daemon=True).start()'
	wait_port 25
	mkfifo "$lab_dir/go"
	: >"$lab_dir/said"
	covered timeout 60 python3 -u -c '
import socket, sys
s = socket.create_connection(("10.9.0.2", 25))
f = s.makefile("rb", buffering=0)
def line():
    text = b""
    while not text.endswith(b"\n"):
        b = s.recv(1)
        if not b:
            sys.exit("a false end")
        text += b
    print(text.decode().strip())
line()
s.sendall(b"HELO me\r\n")
line()
line()
for n in range(3):
    sys.stdin.readline()
    try:
        s.sendall(b"NOOP\r\n")
        line()
    except ConnectionResetError:
        print("reset")
' <"$lab_dir/go" >"$lab_dir/said" &
	local pid=$!
	exec 7>"$lab_dir/go"
	lines_in "$lab_dir/said" 3
	echo >&7
	lines_in "$lab_dir/said" 4
	lab_event wlan0 down
	sleep 0.7
	echo >&7
	lines_in "$lab_dir/said" 5
	lab_event wlan0 up
	lab_event wwan0 down
	sleep 0.7
	# Its third connection is greeted otherwise.
	echo >&7
	lines_in "$lab_dir/said" 6
	exec 7>&-
	wait "$pid" || :
	[ "$(cat "$lab_dir/said")" = "$(printf '%s\n' '220 mail' '250-more' '250 fine' '250 1' '250 2' reset)" ]
	[ "$(grep -c 'HELO again' "$lab_dir/mail.log")" = 1 ]
}
