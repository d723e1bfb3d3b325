#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# `mifcont events` beside a real kernel: veth pairs in a network namespace of their own. As root, or
# in a user namespace; where neither may be had the tests are skipped and say why.

setup() {
	MIFCONT=${MIFCONT:-$BATS_TEST_DIRNAME/../../build/mifcont}
	[ -x "$MIFCONT" ] || skip "$MIFCONT is not built"
	for tool in ip jq nsenter unshare; do
		command -v $tool >/dev/null || skip "$tool is missing"
	done
	if unshare -n true 2>/dev/null; then
		kind=(-n)
		enter=(--net)
	elif unshare -Urn true 2>/dev/null; then
		kind=(-Urn)
		enter=(--user --preserve-credentials --net)
	else
		skip "network namespaces are not allowed here"
	fi
	mkfifo "$BATS_TEST_TMPDIR/holder"
	unshare "${kind[@]}" sh -c 'echo up >"$1"; exec sleep 300' - "$BATS_TEST_TMPDIR/holder" \
		3>&- >/dev/null 2>&1 &
	holder=$!
	read -r _ <"$BATS_TEST_TMPDIR/holder"
	ns ip link add wlan0 type veth peer name ap 2>/dev/null || skip "veth devices are not allowed here"
	ns ip link add wwan0 type veth peer name mast
	# No IPv6 addresses but those a test adds: theirs come when they please.
	for i in wlan0 ap wwan0 mast; do
		ns ip link set dev $i addrgenmode none
		ns ip link set dev $i up
	done
	ns ip addr add 10.1.0.2/24 dev wlan0
	ns ip addr add 2001:db8:1::2/64 dev wlan0 nodad
	ns ip addr add 10.2.0.2/24 dev wwan0
	ns ip route add default via 10.1.0.1 metric 100
	ns ip route add default via 10.2.0.1 metric 200
	out=$BATS_TEST_TMPDIR/events
	events=
}

teardown() {
	if [ -n "${events:-}" ]; then
		kill -CONT "$events" && kill "$events"
		wait "$events"
	fi
	[ -z "${holder:-}" ] || kill "$holder"
} 2>/dev/null

ns() {
	nsenter --target "$holder" "${enter[@]}" "$@"
}

# Runs `mifcont events --json` and waits for the enumeration.
start() {
	nsenter --target "$holder" "${enter[@]}" "$MIFCONT" events --json >"$out" 3>&- &
	events=$!
	# The last line of it: IPv6 comes after IPv4.
	await '.reason == "present" and .address == "2001:db8:1::2"'
	cp "$out" "$out.seen"
}

# Waits until some event satisfies the filter; how long it takes is no part of the test.
await() {
	for _ in $(seq 200); do
		if [ -n "$(jq -c "select($1)" "$out" 2>/dev/null)" ]; then return 0; fi
		sleep 0.05
	done
	echo "never came: $1"
	cat "$out"
	return 1
}

# The events of one interface since start, routes and domains left out, as "event address: reason".
told() {
	tail -n "+$(($(wc -l <"$out.seen") + 1))" "$out" |
		jq -r --arg i "$1" 'select(.interface == $i and .event != "Routes changed" and (has("pvd") | not)) |
			"\(.event)\(if .address then " " + .address else "" end): \(.reason)"'
}

same() {
	diff -u <(printf '%s\n' "$2") <(echo "$1")
}

@test "events --once enumerates and ends" {
	run ns "$MIFCONT" events --once --json
	[ "$status" -eq 0 ]
	[ "$(jq -r 'select(.event == "Interface Announcement") | .interface' <<<"$output" | sort | xargs)" = \
		"ap mast wlan0 wwan0" ]
	[ "$(jq -r 'select(.event == "Address Announcement") | .address' <<<"$output" | sort | xargs)" = \
		"10.1.0.2 10.2.0.2 2001:db8:1::2" ]
	# All the interfaces first, and what a domain is made of after it.
	[ "$(jq -r .event <<<"$output" | uniq | head -n 3 | xargs -d '\n')" = \
		"Interface Announcement Address Announcement Provisioning Domain Announcement" ]
	run ns "$MIFCONT" events --once
	[ "$status" -eq 0 ]
	[[ "$output" == *"Address Announcement wlan0 ("*") 10.1.0.2/24 valid forever preferred forever: present"* ]]
}

@test "SIGTERM and SIGINT end the stream in order" {
	for signal in TERM INT; do
		start
		kill -$signal "$events"
		wait "$events"
		events=
	done
}

@test "carrier loss: going away, then each address, and back" {
	start
	ns ip link set ap down
	await '.event == "Interface is going away" and .interface == "wlan0"'
	await '.event == "No Address Announcement" and .address == "2001:db8:1::2"'
	ns ip link set ap up
	await '.event == "Interface is going up" and .interface == "wlan0"'
	await '.reason == "interface usable" and .address == "2001:db8:1::2"'
	same "$(told wlan0)" "Interface is going away: carrier lost
No Address Announcement 10.1.0.2: carrier lost
No Address Announcement 2001:db8:1::2: carrier lost
Interface is going up: up with carrier
Address Announcement 10.1.0.2: interface usable
Address Announcement 2001:db8:1::2: interface usable"
	[ -z "$(told wwan0)" ]
}

@test "admin down: the same order, and the silent routes are noticed" {
	start
	ns ip link set wlan0 down
	await '.event == "No Address Announcement" and .address == "2001:db8:1::2"'
	await '.event == "Routes changed" and .interface == "wlan0"'
	same "$(told wlan0)" "Interface is going away: admin down
No Address Announcement 10.1.0.2: admin down
No Address Announcement 2001:db8:1::2: admin down"
	# IPv6 removed its address while the interface was down; that one does not come back.
	ns ip link set wlan0 up
	await '.reason == "interface usable" and .address == "10.1.0.2"'
	[ "$(told wlan0 | tail -n +4 | xargs -d '\n')" = \
		"Interface is going up: up with carrier Address Announcement 10.1.0.2: interface usable" ]
}

@test "address removal and arrival" {
	start
	ns ip addr del 10.2.0.2/24 dev wwan0
	await '.event == "No Address Announcement" and .address == "10.2.0.2"'
	ns ip addr add 10.2.0.3/24 dev wwan0 valid_lft 500 preferred_lft 400
	await '.event == "Address Announcement" and .address == "10.2.0.3" and .valid <= 500'
	same "$(told wwan0)" "No Address Announcement 10.2.0.2: address removed
Address Announcement 10.2.0.3: address added"
	# An update is not a new address.
	ns ip addr change 10.2.0.3/24 dev wwan0 valid_lft 900 preferred_lft 800
	ns ip addr add 10.2.0.4/24 dev wwan0
	await '.address == "10.2.0.4"'
	[ "$(jq -c 'select(.address == "10.2.0.3")' "$out" | wc -l)" -eq 1 ]
}

@test "an IPv6 address counts once it is verified" {
	start
	ns ip addr add 2001:db8:2::2/64 dev wwan0
	ns ip addr add 10.2.0.9/24 dev wwan0
	await '.address == "2001:db8:2::2"'
	same "$(told wwan0)" "Address Announcement 10.2.0.9: address added
Address Announcement 2001:db8:2::2: address verified"
}

@test "device removal ends with No Interface Announcement" {
	start
	ns ip link del wlan0
	await '.event == "No Interface Announcement" and .interface == "wlan0"'
	same "$(told wlan0)" "Interface is going away: admin down
No Address Announcement 10.1.0.2: admin down
No Address Announcement 2001:db8:1::2: admin down
No Interface Announcement: device removed"
}

@test "a device under a new name is announced again, a bridge port is none" {
	start
	ns ip link set wwan0 down
	ns ip link set wwan0 name wwan7
	await '.event == "Interface Announcement" and .interface == "wwan7" and .reason == "renamed"'
	ns ip link add br0 type bridge
	ns ip link set dev mast master br0
	await '.event == "No Interface Announcement" and .interface == "mast"'
	ns ip link set dev mast nomaster
	await '.event == "Interface Announcement" and .interface == "mast" and .reason == "device added"'
}

# What the stream adds up to: the addresses announced and not withdrawn again.
remaining() {
	jq -rs 'reduce .[] as $e ({};
		if $e.event == "Address Announcement" then .["\($e.ifindex) \($e.address)/\($e.prefix)"] = 1
		elif $e.event == "No Address Announcement" then del(.["\($e.ifindex) \($e.address)/\($e.prefix)"])
		else . end) | keys[]' "$out" | sort
}

configured() {
	ns ip -j addr | jq -r '.[] | select(.ifname != "lo") | .ifindex as $i |
		.addr_info[] | "\($i) \(.local)/\(.prefixlen)"' | sort
}

burst() { # COUNT
	for i in $(seq "$1"); do
		echo "addr add 10.9.$((i / 250)).$((i % 250 + 1))/32 dev wwan0"
		[ $((i % 3)) -eq 0 ] || echo "addr del 10.9.$((i / 250)).$((i % 250 + 1))/32 dev wwan0"
		[ $((i % 3)) -eq 1 ] || echo "route replace 10.77.$((i / 250)).$((i % 250))/32 via 10.1.0.1"
	done
	# Withdrawn in the storm, and the end of it.
	echo "addr del 10.1.0.2/24 dev wlan0"
	echo "addr add 10.99.0.1/32 dev wwan0"
}

@test "2,000 changes: what was told adds up to what there is" {
	start
	burst 1000 >"$BATS_TEST_TMPDIR/burst"
	[ "$(grep -c '^addr' "$BATS_TEST_TMPDIR/burst")" -gt 1600 ]
	ns ip -batch "$BATS_TEST_TMPDIR/burst"
	await '.address == "10.99.0.1"'
	await '.event == "No Address Announcement" and .address == "10.1.0.2"'
	diff -u <(configured) <(remaining)
}

@test "14,000 changes unread: an overrun ends in the difference" {
	start
	burst 6000 >"$BATS_TEST_TMPDIR/burst"
	kill -STOP "$events"
	ns ip -batch "$BATS_TEST_TMPDIR/burst"
	kill -CONT "$events"
	await '.address == "10.99.0.1"'
	await '.event == "No Address Announcement" and .address == "10.1.0.2"'
	diff -u <(configured) <(remaining)
	# That there was an overrun: most of the comings and goings were never heard of.
	[ "$(jq -c 'select(.event == "No Address Announcement")' "$out" | wc -l)" -lt 3000 ]
}

@test "without any privilege" {
	cp "$MIFCONT" "$BATS_TEST_TMPDIR/mifcont"
	chmod 755 "$BATS_TEST_TMPDIR/mifcont"
	command -v setpriv >/dev/null || skip "setpriv is missing"
	drop=(setpriv --bounding-set=-all --inh-caps=-all --no-new-privs)
	# In a user namespace there is nobody else to become.
	[ "${kind[0]}" = -Urn ] || [ "$(awk '{ n += $3 } END { printf "%.0f", n }' /proc/self/uid_map)" -le 65534 ] ||
		drop+=(--reuid 65534 --regid 65534 --clear-groups)
	run ns "${drop[@]}" "$(command -v cat)" /proc/self/status
	[[ "$output" == *"CapEff:"*0000000000000000* ]]
	# By descriptor: the directories above may be closed to nobody.
	run ns "${drop[@]}" /proc/self/fd/9 events --once --json 9<"$BATS_TEST_TMPDIR/mifcont"
	[ "$status" -eq 0 ]
	[ "$(jq -r 'select(.event == "Address Announcement") | .address' <<<"$output" | sort | xargs)" = \
		"10.1.0.2 10.2.0.2 2001:db8:1::2" ]
}
