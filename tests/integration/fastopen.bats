#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# RESUME in the SYN, which saves a handover one round trip.

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

lose() { lab_event wlan0 down; }

lose_twice() {
	lab_event wlan0 down
	sleep 1
	lab_event wlan0 up
	sleep 1.5
	lab_event wlan0 down
}

@test "RESUME goes in the SYN where the relay's host takes it" {
	in_server sysctl -qw net.ipv4.tcp_fastopen=3
	download_through lose
	grep -q ': on wwan0 by Fast Open' "$lab_dir/client.log"
	[ "$(handovers)" = 1 ]
}

@test "and does not where this host has that switched off" {
	in_server sysctl -qw net.ipv4.tcp_fastopen=3
	in_client sysctl -qw net.ipv4.tcp_fastopen=2
	download_through lose
	grep -q ': on wwan0 ' "$lab_dir/client.log"
	run grep -c 'by Fast Open' "$lab_dir/client.log"
	[ "$output" = 0 ]
}

@test "a box that eats SYNs with data is noticed once, and costs nothing" {
	in_router nft list ruleset >/dev/null 2>&1 || skip "no nftables here"
	in_server sysctl -qw net.ipv4.tcp_fastopen=3
	in_router nft add table ip eats
	in_router nft add chain ip eats forward '{ type filter hook forward priority 0; }'
	in_router nft add rule ip eats forward 'tcp flags & (syn|ack) == syn ip length > 80 counter drop'
	download_through lose_twice
	in_router nft list ruleset | grep -q 'packets [1-9]'
	[ "$(grep -c ': on wwan0 ' "$lab_dir/client.log")" = 2 ]
	[ "$(grep -c 'no answer over wwan0 to what was said in the SYN' "$lab_dir/client.log")" = 1 ]
	run grep -c 'by Fast Open' "$lab_dir/client.log"
	[ "$output" = 0 ]
}

@test "the relay does no work for a SYN that anybody may have sent" {
	in_server sysctl -qw net.ipv4.tcp_fastopen=3
	run in_client python3 "$BATS_TEST_DIRNAME/../lab/hello_in_syn.py" 10.9.0.2 7343
	echo "$output"
	[ "${lines[0]}" = "in the SYN: reset" ]
	[ "${lines[1]}" = "after it: 0x81" ]
}
