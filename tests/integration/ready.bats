#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The connection held ready on the next path, which saves a handover one round trip.

load helper

setup() {
	need_lab
	start_lab 10 200 0
}

teardown() {
	stop_lab
}

# A download that goes on while what is named happens; it is whole in the end.
download_through() { # COMMAND...
	serve_file 20
	covered curl -sS --limit-rate 4M --max-time 30 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$!
	sleep 1.5
	"$@"
	wait "$pid"
	same "$lab_dir/out" "$lab_dir/www/file"
}

lose_twice() {
	lab_event wlan0 down
	sleep 1
	lab_event wlan0 up
	sleep 1.5
	lab_event wlan0 down
}

# The policy with what is said of standby, and of the second interface.
policy() { # STANDBY METERED
	cat >"$lab_dir/policy.conf" <<-END
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100  $2 }
		peer "*" { continuity = session  standby = $1 }
	END
}

# The standby of the first flow, as status has it.
standby() {
	in_client "$lab_build/mifcont" status --json | jq -r '.[].flows[0].standby'
}

# How many connections there are from the second interface, as the relay sees it, and what timers these have.
from_wwan() {
	in_server ss -Htno state established '( sport = :7343 )' | grep '10\.2\.0\.2\]\?:' || :
}

# All TCP segments that the client has received and sent.
segments() {
	in_client cat /proc/net/snmp | awk '/^Tcp: [0-9]/ { print $11, $12 }'
}

# A quiet flow, until what is said to its input ends: quiet_flow; the process is $pid, its input descriptor 7.
quiet_flow() {
	lab_spawn server /dev/null timeout 60 nc -l -k 9000
	wait_port 9000
	mkfifo "$lab_dir/fifo"
	covered nc -N 10.9.0.2 9000 <"$lab_dir/fifo" 3>&- &
	pid=$!
	exec 7>"$lab_dir/fifo"
	echo something >&7
	sleep 1.2
}

@test "a flow that loses its path asks on the connection that is held ready" {
	policy yes 'metered = false'
	download_through lose_twice
	[ "$(grep -c ': on wwan0 by the standby' "$lab_dir/client.log")" = 2 ]
	[ "$(grep -c 'a connection over wwan0 is held ready' "$lab_dir/client.log")" = 2 ]
}

@test "it is silent, shown by status, and gone with the flow" {
	policy yes 'metered = false'
	quiet_flow
	[ "$(standby)" = wwan0 ]
	in_client "$lab_build/mifcont" status | grep -q ' wlan0 *wwan0 '
	from_wwan
	[ "$(from_wwan | wc -l)" = 1 ]
	run grep -c timer: <<<"$(from_wwan)"
	[ "$output" = 0 ]
	# Not a segment for it, or for anything else: the program is idle.
	local before
	before=$(segments)
	sleep 3
	[ "$(segments)" = "$before" ]
	exec 7>&-
	wait "$pid" || :
	sleep 0.5
	[ "$(from_wwan | wc -l)" = 0 ]
}

@test "none is held over a metered interface unless the policy says so" {
	policy yes 'metered = true'
	quiet_flow
	[ "$(standby)" = null ]
	[ "$(from_wwan | wc -l)" = 0 ]
	grep -q 'nothing is held ready: wwan0, the next path, is metered' "$lab_dir/client.log"
	# A cellular one needs not be called so.
	policy yes ''
	lab_event wwan0 down
	lab_event wwan0 up
	sleep 1
	[ "$(standby)" = null ]
	exec 7>&-
	wait "$pid" || :
	policy metered 'metered = true'
	rm "$lab_dir/fifo"
	quiet_flow
	[ "$(standby)" = wwan0 ]
	exec 7>&-
	wait "$pid" || :
	policy no 'metered = false'
	rm "$lab_dir/fifo"
	quiet_flow
	[ "$(standby)" = null ]
	exec 7>&-
}

@test "one that the network has forgotten costs no time" {
	in_router nft list ruleset >/dev/null 2>&1 || skip "no nftables here"
	policy yes 'metered = false'
	local port
	serve_file 12
	covered curl -sS --limit-rate 4M --max-time 30 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$!
	sleep 1.5
	port=$(from_wwan | sed 's/.*10\.2\.0\.2\]\?:\([0-9]*\).*/\1/')
	[ -n "$port" ]
	in_router nft add table ip eats
	in_router nft add chain ip eats forward '{ type filter hook forward priority 0; }'
	in_router nft add rule ip eats forward "ip saddr 10.2.0.2 tcp sport $port counter drop"
	lab_event wlan0 down
	wait "$pid"
	same "$lab_dir/out" "$lab_dir/www/file"
	in_router nft list ruleset | grep -q 'packets [1-9]'
	grep -q 'no answer over wwan0 to what was said on the standby' "$lab_dir/client.log"
	[ "$(handovers)" = 1 ]
	# The connection beside it was begun before that was known: RESUME over it is the very next.
	run grep -c 'by the standby' "$lab_dir/client.log"
	[ "$output" = 0 ]
}

@test "one that the relay closes is noticed, and none is needed where Fast Open works" {
	policy yes 'metered = false'
	quiet_flow
	[ "$(standby)" = wwan0 ]
	in_server ss -K state established '( sport = :7343 )' dst 10.2.0.2 >/dev/null
	sleep 0.3
	grep -q 'nothing is held ready over wwan0: closed' "$lab_dir/client.log"
	[ "$(standby)" = null ]
	in_server sysctl -qw net.ipv4.tcp_fastopen=3
	lab_event wwan0 down
	lab_event wwan0 up
	sleep 1.2
	[ "$(standby)" = "wwan0 (Fast Open)" ]
	[ "$(from_wwan | wc -l)" = 0 ]
	exec 7>&-
}
