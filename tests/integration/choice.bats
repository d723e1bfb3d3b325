#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the policy file says of who is moved, when, and to which kind of interface.

load helper

setup() {
	need_lab
	start_lab 5 200 0
	lab_spawn server "$lab_dir/serve.log" "$lab_build/lab/measure" serve 9000
	wait_port 9000
	lab_spawn server "$lab_dir/echo.log" python3 "$BATS_TEST_DIRNAME/../lab/echo_server.py" 9001
	wait_port 9001
}

teardown() {
	stop_lab
}

cli() { in_client "$lab_build/mifcont" "$@"; }

# The interface of each flow, as "9000 wlan0 session", by port.
places() {
	cli status --json | jq -r '.[].flows[] | "\(.peer | split(":")[-1]) \(.path.interface) \(.continuity)"' | sort -u | paste -sd,
}

becomes() { # PLACES
	local i
	for ((i = 0; i < 50; i++)); do
		[ "$(places)" != "$1" ] || return 0
		sleep 0.1
	done
	places
	return 1
}

# After what the others say, before "interface" and "peer".
policy() { # TEXT
	printf '%s\ninterface "wlan*" { prefer = 200 }\ninterface "wwan*" { prefer = 100 }\n%s\n' "$1" "$2" \
		>"$lab_dir/policy.conf"
	cli policy check "$lab_dir/policy.conf"
}

@test "a sticky flow goes where it must and stays there; the others go back" {
	policy 'stability { spread = 0 }' 'peer "*:9000" { continuity = session  sticky = yes }
		peer "*" { continuity = session }'
	covered "$lab_build/lab/measure" paced 10.9.0.2 9000 9 >"$lab_dir/gap" &
	local pid=$!
	covered timeout 9 bash -c 'exec 3<>/dev/tcp/10.9.0.2/9001; sleep 8; :' &
	becomes "9000 wlan0 session,9001 wlan0 session"
	lab_event wlan0 down
	becomes "9000 wwan0 session,9001 wwan0 session"
	lab_event wlan0 up
	becomes "9000 wwan0 session,9001 wlan0 session"
	sleep 1
	[ "$(places)" = "9000 wwan0 session,9001 wlan0 session" ]
	# Where the user has a choice it counts more.
	cli switch wlan0
	becomes "9000 wlan0 session,9001 wlan0 session"
	wait "$pid"
}

@test "rules are for programs and users" {
	policy '' 'peer "program:measure *" { continuity = session }
		peer "program:*/python3* user:0 *" { continuity = redial }
		peer "*" { continuity = none }'
	covered "$lab_build/lab/measure" paced 10.9.0.2 9000 4 >"$lab_dir/gap" &
	local pid=$!
	covered timeout 9 python3 -c 'import socket, time; s = socket.create_connection(("10.9.0.2", 9001)); time.sleep(3)' &
	becomes "9000 wlan0 session,9001 wlan0 redial"
	wait "$pid"
	run cli policy explain --policy "$lab_dir/policy.conf" --program /usr/bin/curl 10.9.0.2:80
	[ "$status" = 0 ]
	[[ $output == *'peer "*"'* ]]
	run cli policy explain --policy "$lab_dir/policy.conf" --program /x/measure 10.9.0.2:80
	[[ $output == *'peer "program:measure *"'* ]]
	run cli policy explain --policy "$lab_dir/policy.conf" --program /bin/python3 --user daemon 10.9.0.2:80
	[[ $output == *'peer "*"'* ]]
}

@test "a better path must be stable for as long as the file says" {
	policy 'stability { stable = 3000  spread = 0 }' 'peer "*" { continuity = session }'
	covered "$lab_build/lab/measure" paced 10.9.0.2 9000 9 >"$lab_dir/gap" &
	local pid=$!
	becomes "9000 wlan0 session"
	lab_event wlan0 down
	becomes "9000 wwan0 session"
	lab_event wlan0 up
	sleep 1.5
	[ "$(places)" = "9000 wwan0 session" ]
	becomes "9000 wlan0 session"
	wait "$pid"
}

# How often a flow goes back to an interface that comes and goes eight times.
returns() { # STABILITY
	local pid i
	policy "stability { $1 }" 'peer "*" { continuity = session }' >&2
	: >"$lab_dir/client.log"
	rm -f "$lab_dir/fifo"
	mkfifo "$lab_dir/fifo"
	covered nc -N 10.9.0.2 9001 <"$lab_dir/fifo" >&2 3>&- &
	pid=$!
	exec 7>"$lab_dir/fifo"
	becomes "9001 wlan0 session" >&2
	for ((i = 0; i < 8; i++)); do
		lab_event wlan0 down
		sleep 0.2
		lab_event wlan0 up
		sleep 0.6
	done
	exec 7>&-
	wait "$pid" || :
	grep -c 'flow 1: on wlan0' "$lab_dir/client.log"
}

@test "an interface that comes and goes attracts a flow less each time" {
	local calm restless
	restless=$(returns 'spread = 0  damp = 0')
	calm=$(returns 'spread = 0')
	echo "went back $restless times, damped $calm times"
	[ "$restless" -ge 6 ]
	[ "$calm" -ge 1 ]
	[ "$calm" -le 4 ]
}

@test "many flows go to a better path over a little time, not at once" {
	policy 'stability { spread = 3000 }' 'peer "*" { continuity = session }'
	covered timeout 20 python3 "$BATS_TEST_DIRNAME/../lab/wide.py" 10.9.0.2 9001 60 < <(sleep 12; echo) >"$lab_dir/out" &
	local pid=$! i seen=0
	for ((i = 0; i < 100; i++)); do
		! grep -q ready "$lab_dir/out" || break
		sleep 0.1
	done
	lab_event wlan0 down
	becomes "9001 wwan0 session"
	lab_event wlan0 up
	for ((i = 0; i < 60; i++)); do
		case "$(places)" in
		"9001 wlan0 session,9001 wwan0 session") seen=$((seen + 1)) ;;
		"9001 wlan0 session") break ;;
		esac
		sleep 0.1
	done
	[ "$(places)" = "9001 wlan0 session" ]
	echo "$seen looks saw some here and some there"
	[ "$seen" -ge 5 ]
	wait "$pid"
}

@test "silence is not minded where the file says so" {
	policy 'stability { silence = no }' 'peer "*" { continuity = session }'
	covered "$lab_build/lab/measure" paced 10.9.0.2 9000 4 >"$lab_dir/gap" &
	local pid=$!
	becomes "9000 wlan0 session"
	lab_event wlan0 dead
	sleep 1.5
	[ "$(places)" = "9000 wlan0 session" ]
	lab_event wlan0 alive
	wait "$pid"
	run grep -c silent "$lab_dir/client.log"
	[ "$output" = 0 ]
}

@test "a kind of interface is preferred by its type" {
	printf 'interface "wwan*" { prefer = 3  metered = no }\ninterface "type:wifi" { prefer = 7  metered = yes }\n' >"$lab_dir/policy.conf"
	run cli policy explain --policy "$lab_dir/policy.conf" 10.9.0.2:80
	echo "$output"
	[[ $output == *"wlan0 (wifi) from "*", prefer 7, metered,"* ]]
	[[ $output == *"wwan0 (cellular) from "*", prefer 3, metric"* ]]
}

@test "what is bound to its address ends at once when that is gone, and no earlier" {
	policy '' 'peer "*:9000" { continuity = session  address-bound = yes }
		peer "*:9001" { continuity = auto  address-bound = yes }
		peer "*" { continuity = session }'
	local i talk='import socket, sys, time
s = socket.create_connection(("10.9.0.2", int(sys.argv[1])))
s.settimeout(8)
begun = time.monotonic()
try:
    s.sendall(b"hello\n")
    while s.recv(1000): pass
except ConnectionResetError:
    print("reset", "soon" if time.monotonic() - begun < 6 else "late")
'
	covered python3 -c "$talk" 9001 >"$lab_dir/plain" &
	local plain=$!
	covered "$lab_build/lab/measure" paced 10.9.0.2 9000 9 >"$lab_dir/session" 2>&1 &
	local session=$!
	becomes "9000 wlan0 session,9001 wlan0 auto"
	# A short absence of the only path, and the same address again: a session goes on.
	lab_event wwan0 down
	lab_event wlan0 down
	lab_event wlan0 up
	becomes "9000 wlan0 session,9001 wlan0 auto"
	# A better path is none for it.
	lab_event wwan0 up
	sleep 1
	[ "$(places)" = "9000 wlan0 session,9001 wlan0 auto" ]
	lab_event wlan0 down
	wait "$plain"
	[ "$(cat "$lab_dir/plain")" = "reset soon" ]
	wait "$session" || :
	run grep -c 'on wwan0' "$lab_dir/client.log"
	[ "$output" = 0 ]
	[ "$(grep -c 'flow 1: reset: bound to its address (the flow.s path is gone; wwan0' "$lab_dir/client.log")" = 2 ]
	# The server's end is not left waiting for a day.
	for ((i = 0; i < 30; i++)); do
		! grep -q 'session 1 over' "$lab_dir/relay.log" || break
		sleep 0.1
	done
	grep 'session 1 over' "$lab_dir/relay.log"
}
