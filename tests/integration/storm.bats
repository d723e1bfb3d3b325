#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# A storm of random changes over hundreds of interfaces: what `ip monitor` saw against what `mifcont events` and a subscriber of
# the MIF API were told. Nothing is told that did not happen, in an order that makes no sense, or wrong in the end.

source "$BATS_TEST_DIRNAME/helper.bash"

setup() {
	need_lab
	for tool in jq python3; do
		command -v $tool >/dev/null || skip "$tool is missing"
	done
	storm=$lab_root/tests/lab/storm.py
	mifcont=$lab_build/mifcont
	dir=$BATS_TEST_TMPDIR
	lab=mc$$-$RANDOM
	pids=()
	ip netns add "$lab-c"
	ip netns add "$lab-s"
	in_client ip -batch <(python3 "$storm" setup 150)
}

teardown() {
	local pid
	for pid in "${pids[@]}"; do
		kill -CONT "$pid" 2>/dev/null || :
		kill "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	done
	ip netns del "$lab-c"
	ip netns del "$lab-s"
}

listen() {
	in_client "$mifcont" events --json >"$dir/events" 2>"$dir/err" 3>&- &
	pids+=($!)
	in_client "$mifcont" mif --json "announce interfaces" "announce pvd" "announce address" >"$dir/mif" 2>>"$dir/err" 3>&- &
	pids+=($!)
	in_client ip monitor link address >"$dir/monitor" 2>&1 3>&- &
	pids+=($!)
	for _ in $(seq 200); do
		[ "$(jq -r 'select(.interface == "t149") | 1' "$dir/events" "$dir/mif" 2>/dev/null | wc -l)" -lt 2 ] || break
		sleep 0.05
	done
	# ip says nothing until something happens.
	in_client ip link set br0 down
	for _ in $(seq 200); do
		[ ! -s "$dir/monitor" ] || return 0
		sleep 0.05
	done
}

blow() { # SEED CHANGES [KIND]
	local begun
	python3 "$storm" make "$1" "$2" 150 "$lab-s" | grep "${3:-.}" >"$dir/changes"
	begun=$(date +%s%N)
	in_client ip -force -batch "$dir/changes" >"$dir/ip" 2>&1 || :
	echo "# $2 changes at $(($2 * 1000000 / (($(date +%s%N) - begun) / 1000))) a second" >&3
	# The last word: all three have heard it, and so all before it.
	in_client ip link add last type veth peer name last-peer
	in_client ip link set last addrgenmode none
	in_client ip link set last-peer addrgenmode none
	in_client ip link set last-peer up
	in_client ip addr add 203.0.113.7/32 dev last
	in_client ip link set last up
}

settled() {
	for _ in $(seq 600); do
		if grep -q '"Address Announcement".*203.0.113.7' "$dir/events" &&
			grep -q '"Address Announcement".*203.0.113.7' "$dir/mif" && grep -q 203.0.113.7 "$dir/monitor"; then
			# And whatever an overrun left to be asked again.
			sleep 1
			in_client ip -j addr >"$dir/table"
			return 0
		fi
		sleep 0.1
	done
	echo "never came to rest"
	return 1
}

compare() {
	cat "$dir/err"
	python3 "$storm" check "$dir/events" "$dir/monitor" "$dir/table"
	python3 "$storm" check "$dir/mif" "$dir/monitor" "$dir/table"
}

@test "10,000 changes of all kinds" {
	listen
	blow 1 10000
	settled
	compare
}

@test "20,000 addresses as fast as they come" {
	listen
	blow 2 20500 '^addr'
	settled
	compare
}

@test "unread for as long: overruns end in the same tables" {
	listen
	kill -STOP "${pids[0]}" "${pids[1]}"
	blow 3 7000
	kill -CONT "${pids[0]}" "${pids[1]}"
	settled
	compare
}
