#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What Wireshark shows with scripts/wireshark/mifcont.lua.

load helper

teardown() {
	[ -z "${lab:-}" ] || stop_lab
}

# shark FILE FIELD [FILTER]: the field's values, one a line; in two passes, as the graphical one does it.
shark() {
	tshark -2 -X "lua_script:$lab_root/scripts/wireshark/mifcont.lua" -r "$1" -Y "${3:-mifcont}" -T fields -e "$2" \
		2>"$BATS_TEST_TMPDIR/shark.err" | tr ',' '\n' | sed '/^$/d'
}

# How often a value comes.
times() { # VALUE, of what is on stdin
	grep -cxF -- "$1" || :
}

@test "a session with a handover is shown, every message of it" {
	need_lab
	start_lab 5 40 0
	lab_spawn server "$lab_dir/dump.log" dumpcap -q -i eth0 -f "port 7343" -B 64 -w "$lab_dir/capture"
	local dump=$lab_pid i type
	for ((i = 0; i < 100; i++)); do
		grep -q "^File:" "$lab_dir/dump.log" && break
		sleep 0.05
	done
	serve_file 6
	covered curl -sS --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$!
	sleep 0.5
	lab_event wlan0 down
	wait "$pid"
	same "$lab_dir/www/file" "$lab_dir/out"
	sleep 0.5
	kill -INT "$dump"
	wait "$dump" || :
	shark "$lab_dir/capture" mifcont.type | sort | uniq -c
	for type in 0x01 0x81 0x03 0x83 0x04 0x84 0x05; do
		shark "$lab_dir/capture" mifcont.type | grep -qx "$type"
	done
	[ -n "$(shark "$lab_dir/capture" mifcont.record.length)" ]
	[ -z "$(shark "$lab_dir/capture" frame.number "mifcont.malformed || mifcont.out_of_turn || mifcont.cut")" ]
	[ -z "$(shark "$lab_dir/capture" frame.number "_ws.lua.error || _ws.malformed")" ]
	# On both paths the stream carries the file, and its counts say where.
	[ "$(shark "$lab_dir/capture" mifcont.stream.count "ip.dst == 10.1.0.2" | sort -n | head -n 1)" = 0 ]
	[ "$(shark "$lab_dir/capture" mifcont.stream.count "ip.dst == 10.2.0.2" | sort -n | tail -n 1)" -gt 5000000 ]
}

@test "messages in pieces, records, streams that look like messages, refusals and nonsense" {
	local file=$BATS_TEST_TMPDIR/pieces type why
	python3 "$BATS_TEST_DIRNAME/../lab/segments.py" "$file"
	local types
	types=$(shark "$file" mifcont.type)
	sort <<<"$types" | uniq -c
	[ "$(times 0x01 <<<"$types")" = 2 ]
	[ "$(times 0x81 <<<"$types")" = 1 ]
	[ "$(times 0x03 <<<"$types")" = 1 ]
	[ "$(times 0x83 <<<"$types")" = 1 ]
	[ "$(times 0x04 <<<"$types")" = 9 ]
	[ "$(times 0x84 <<<"$types")" = 1 ]
	[ "$(times 0x05 <<<"$types")" = 2 ]
	[ "$(times 0xff <<<"$types")" = 8 ]
	[ "$(shark "$file" mifcont.record.length | paste -sd ' ')" = "42 25 42 17 33 66 42" ]
	[ "$(shark "$file" mifcont.record.number "tcp.dstport == 7343" | paste -sd ' ')" = "0 1 2 3" ]
	[ "$(shark "$file" mifcont.stream.count "tcp.stream == 1 && tcp.srcport == 7343" | sort -n | head -n 1)" = 0 ]
	[ "$(shark "$file" mifcont.stream.count "tcp.stream == 2 && tcp.srcport == 7343" | sort -n | head -n 1)" = 4000 ]
	[ "$(shark "$file" mifcont.stream.count "tcp.stream == 2 && tcp.dstport == 7343" | sort -n | head -n 1)" = 1000 ]
	[ "$(shark "$file" mifcont.reason | paste -sd ' ')" = "1 2 3 4 5 6 7 99" ]
	for why in "not allowed" "gone: the session has ended" "reason 99"; do
		shark "$file" _ws.expert.message | grep -F "Refused: $why"
	done
	# Of the five wrong connections, and of no other.
	[ "$(shark "$file" tcp.stream "mifcont.malformed || mifcont.out_of_turn" | paste -sd ' ')" = "11 12 13 14 15" ]
	[ "$(shark "$file" tcp.stream mifcont.out_of_turn)" = 14 ]
	[ -z "$(shark "$file" frame.number "_ws.lua.error || mifcont.cut")" ]
}
