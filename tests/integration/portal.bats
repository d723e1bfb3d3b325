#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Captive portals: they take every connection, and must win none.

load helper

setup() {
	need_lab
	unshare -n nft list ruleset >/dev/null 2>&1 || skip "no nftables here"
	start_lab
	lab_spawn server "$lab_dir/canary.log" python3 "$answers" 8999 204
	wait_port 8999
	lab_spawn server "$lab_dir/echo.log" python3 "$BATS_TEST_DIRNAME/../lab/echo_server.py" 9001
	wait_port 9001
	lab_spawn router "$lab_dir/portal.log" python3 "$answers" 8998 302
	lab_wait_port router 8998
}

teardown() {
	exec 7>&- 2>/dev/null || :
	stop_lab
}

answers=$BATS_TEST_DIRNAME/../lab/answers.py

cli() { in_client "$lab_build/mifcont" "$@"; }

policy() { # CONTINUITY [WWAN'S PREFERENCE]
	cat >"$lab_dir/policy.conf" <<-END
		connectivity { url = "http://10.9.0.2:8999/check" }
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = ${2:-100} }
		peer "*" { continuity = $1 $([ "$1" != redial ] || echo 'replay = line') }
	END
	cli policy check "$lab_dir/policy.conf"
}

portal() { # on|off [PORT]: whoever comes by wwan0 meets it
	[ "$1" = on ] || { in_router nft delete table ip portal; return; }
	in_router nft -f - <<-END
		table ip portal {
			chain c {
				type nat hook prerouting priority -100
			}
		}
		flush chain ip portal c
		add rule ip portal c iifname "r-wwan0" meta l4proto tcp redirect to :${2:-8998}
	END
}

# An echo client; each line sent has to come back.
echo_client() {
	mkfifo "$lab_dir/lines"
	# shellcheck disable=SC2086  # words are meant to split
	covered ${resolving:-} timeout 60 python3 -c 'import socket, sys
s = socket.create_connection((sys.argv[1], 9001))
s.settimeout(25)
print("connected", flush=True)
for line in sys.stdin:
    s.sendall(line.encode())
    got = s.recv(100).decode()
    print("same" if got == line else repr(got), flush=True)' "${host:-10.9.0.2}" <"$lab_dir/lines" >"$lab_dir/out" 2>&1 &
	pid=$!
	exec 7>"$lab_dir/lines"
	until_said connected
}

until_said() { # LINES...
	local i
	for ((i = 0; i < 250; i++)); do
		[ "$(paste -sd' ' "$lab_dir/out")" != "$*" ] || return 0
		sleep 0.1
	done
	cat "$lab_dir/out"
	return 1
}

state() { cli status --json | jq -r '.[].connectivity[]? | "\(.interface) \(.state)"' | sort | paste -sd,; }

until_state() {
	local i
	for ((i = 0; i < 50; i++)); do
		[ "$(state)" != "$1" ] || return 0
		sleep 0.1
	done
	state
	return 1
}

@test "a plain connection is not dialled again into a portal, and goes on when somebody has logged in" {
	policy redial
	echo_client
	portal on
	lab_event wlan0 down
	until_state "wwan0 portal"
	cli status | grep -q 'process .*: wwan0: connectivity portal'
	sleep 1
	run grep -c 'flow 1: on wwan0' "$lab_dir/client.log"
	[ "$output" = 0 ]
	portal off
	echo hello >&7
	until_said connected same
	[ "$(state)" = "wwan0 full" ]
	exec 7>&-
	wait "$pid"
}

@test "without a portal it is tested and taken" {
	policy redial
	run cli policy explain --policy "$lab_dir/policy.conf" 10.9.0.2:9001
	[[ $output == *"tested "*"only after 10.9.0.2 (port 8999) has answered over it"* ]]
	echo_client
	lab_event wlan0 down
	echo hello >&7
	until_said connected same
	[ "$(state)" = "wwan0 full" ]
	grep -q 'flow 1: on wwan0' "$lab_dir/client.log"
}

@test "whom to ask is looked up by name, and asked in either family" {
	lab_names check.example=10.9.0.2
	policy redial
	sed -i 's|http://10.9.0.2|http://check.example|' "$lab_dir/policy.conf"
	resolving="bash $lab_dir/resolving" host=fd00:9::2 echo_client
	lab_event wlan0 down
	echo hello >&7
	until_said connected same
	[ "$(state)" = "wwan0 full" ]
}

@test "a better path with a portal attracts nobody" {
	lab_event wwan0 down
	policy redial 900
	echo_client
	portal on
	lab_event wwan0 up
	until_state "wwan0 portal"
	sleep 1
	echo hello >&7
	until_said connected same
	run grep -c 'flow 1: on wwan0' "$lab_dir/client.log"
	[ "$output" = 0 ]
}

@test "a session needs no test: the relay proves itself, and a portal does not" {
	policy session
	echo_client
	portal on
	lab_event wlan0 down
	sleep 2
	run grep -c 'flow 1: on wwan0' "$lab_dir/client.log"
	[ "$output" = 0 ]
	[ ! -s "$lab_dir/canary.log" ]
	portal off
	echo hello >&7
	until_said connected same
	exec 7>&-
	wait "$pid"
}

# Ports 8990 and up.
all_kinds=(login tls noise hold reset)
other_portals() {
	local i
	for i in "${!all_kinds[@]}"; do
		lab_spawn router "$lab_dir/portal$i.log" python3 "$answers" "899$i" "${all_kinds[i]}"
		lab_wait_port router "899$i"
	done
}

@test "no kind of portal wins a session" {
	local i
	other_portals
	policy session
	echo_client
	portal on 8990
	lab_event wlan0 down
	for i in "${!all_kinds[@]}"; do
		portal on "899$i"
		sleep 1
	done
	run grep -c 'flow 1: on wwan0' "$lab_dir/client.log"
	[ "$output" = 0 ]
	portal off
	echo hello >&7
	until_said connected same
	exec 7>&-
	wait "$pid"
}

@test "no kind of portal wins a plain connection" {
	local i
	other_portals
	policy redial
	echo_client
	for i in "${!all_kinds[@]}"; do
		portal on "899$i"
		lab_event wwan0 down
		lab_event wwan0 up
		lab_event wlan0 down
		# Who resets, or says nothing, may be nobody at all.
		until_state "wwan0 $([[ ${all_kinds[i]} =~ hold|reset ]] && echo limited || echo portal)" || return 1
		lab_event wlan0 up
	done
	run grep -c 'flow 1: on wwan0' "$lab_dir/client.log"
	[ "$output" = 0 ]
	echo hello >&7
	until_said connected same
	exec 7>&-
	wait "$pid"
}

@test "nobody is asked where the policy names nobody" {
	printf 'interface "wlan*" { prefer = 200 }\npeer "*" { continuity = redial  replay = line }\n' >"$lab_dir/policy.conf"
	echo_client
	lab_event wlan0 down
	echo hello >&7
	until_said connected same
	[ ! -s "$lab_dir/canary.log" ]
	[ "$(state)" = "" ]
}
