#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# From IPv4 to IPv6 and back.

load helper

setup() {
	need_lab
	start_lab
	lab_spawn server "$lab_dir/echo.log" python3 "$BATS_TEST_DIRNAME/../lab/echo_server.py" 9000
	wait_port 9000
}

teardown() {
	exec {to}>&- 2>/dev/null || :
	[ -z "${lab:-}" ] || stop_lab
}

# One family of an interface of the client is gone for good.
only() { # 4|6 INTERFACE: keeps that family
	local other=$((10 - $1))
	ip -n "$lab-c" "-$other" addr flush dev "$2" scope global
	ip -n "$lab-c" "-$other" route flush dev "$2"
}

# The client of families.py, whose lines say() sends.
look_at() { # HOST [PORT]
	mkfifo "$lab_dir/lines"
	# shellcheck disable=SC2086  # words are meant to split
	covered ${resolving:-} python3 "$BATS_TEST_DIRNAME/../lab/families.py" "$1" "${2:-9000}" <"$lab_dir/lines" >"$lab_dir/out" \
		2>"$lab_dir/err" 3>&- &
	exec {to}>"$lab_dir/lines"
	said=0
}

say() {
	local i
	said=$((said + 1))
	echo "line $said" >&"$to"
	for ((i = 0; i < 150; i++)); do
		[ "$(wc -l <"$lab_dir/out")" -lt "$said" ] || break
		sleep 0.1
	done
	[ "$(grep -c '^same ' "$lab_dir/out")" = "$said" ] || { cat "$lab_dir/out" "$lab_dir/err"; return 1; }
}

# The client has a session's connection in this family from this interface.
by() { # ADDRESS
	local i
	for ((i = 0; i < 50; i++)); do
		in_client ss -Htn state established "dport = :7343" | grep -qF "$1" && return 0
		sleep 0.1
	done
	in_client ss -Htn
	return 1
}

moved() { # INTERFACE, the newest handover's
	local i
	for ((i = 0; i < 80; i++)); do
		[ "$(grep ': on w' "$lab_dir/client.log" | tail -n 1 | grep -c ": on $1")" = 1 ] && return 0
		sleep 0.1
	done
	echo "not on $1"
	return 1
}

@test "an IPv4 connection goes on over an IPv6-only uplink, and comes back, and looks as it did" {
	only 6 wwan0
	only 4 wlan0
	look_at 10.9.0.2
	say
	lab_event wlan0 down
	moved wwan0
	say
	by fd00:2::2
	lab_event wlan0 up
	only 4 wlan0
	moved wlan0
	say
	by 10.1.0.2
}

@test "an IPv6 connection goes on over an IPv4-only uplink, and comes back, and looks as it did" {
	only 4 wwan0
	only 6 wlan0
	look_at fd00:9::2
	say
	lab_event wlan0 down
	moved wwan0
	say
	by 10.2.0.2
	lab_event wlan0 up
	only 6 wlan0
	moved wlan0
	say
	by fd00:1::2
}

@test "a better interface of the other family is moved to while the first works" {
	only 4 wwan0
	lab_event wlan0 down
	look_at 10.9.0.2
	say
	lab_event wlan0 up
	only 6 wlan0
	moved wlan0
	say
	by fd00:1::2
}

@test "a plain connection is dialled again at the name's address of the other family" {
	lab_names dual.lab=10.9.0.2 dual.lab=fd00:9::2
	lab_spawn server "$lab_dir/echo2.log" python3 "$BATS_TEST_DIRNAME/../lab/echo_server.py" 9100
	wait_port 9100
	lab_event wwan0 down
	only 4 wlan0
	resolving="bash $lab_dir/resolving" look_at dual.lab 9100
	say
	lab_event wwan0 up
	only 6 wwan0
	lab_event wlan0 down
	moved wwan0
	say
	in_client ss -Htn state established "dport = :9100" | grep -qF fd00:2::2
	[ "$(grep -c '^same 10.9.0.2' "$lab_dir/out")" = "$said" ]
}

# The router translates to the server for 2001:db8:64::/96, which has no IPv6 address itself.
translate() {
	ip -n "$lab-s" -6 addr flush dev eth0 scope global
	ip -n "$lab-r" addr add 2001:db8:64::10.9.0.2/128 dev lo nodad
	lab_spawn router "$lab_dir/nat64.log" python3 "$BATS_TEST_DIRNAME/../lab/nat64.py" 2001:db8:64::10.9.0.2 10.9.0.2 7343
	lab_wait_port router 7343
	only 6 wwan0
	only 4 wlan0
}

@test "an IPv4 relay is reached by NAT64 over the interface that has it" {
	translate
	sed -i 's/"wwan\*" {/& nat64 = "2001:db8:64::\/96"/' "$lab_dir/policy.conf"
	run in_client "$lab_build/mifcont" policy explain --policy "$lab_dir/policy.conf" '[2001:db8:64::1]:80'
	grep -qF 'NAT64 by 2001:db8:64::/96' <<<"$output"
	look_at 10.9.0.2
	say
	lab_event wlan0 down
	moved wwan0
	say
	by 2001:db8:64::
	lab_event wlan0 up
	only 4 wlan0
	moved wlan0
	say
	by 10.1.0.2
}

@test "the prefix that the network announces is taken where the policy says so" {
	translate
	look_at 10.9.0.2
	say
	# Heard, but nobody asked for it.
	announce() { in_router python3 "$lab_root/tests/lab/ra.py" r-wwan0 lifetime 0 pref64 2001:db8:64:: 600; }
	announce
	lab_event wlan0 down
	sleep 1
	run grep -c ': on wwan0' "$lab_dir/client.log"
	[ "$output" = 0 ]
	sed -i 's/"wwan\*" {/& nat64 = network/' "$lab_dir/policy.conf"
	for ((i = 0; i < 50; i++)); do
		! grep -q 'policy .*policy.conf$' <(tail -n +2 "$lab_dir/client.log") || break
		sleep 0.1
	done
	announce
	moved wwan0
	say
	by 2001:db8:64::
}

@test "no prefix, or that of another interface, is not used" {
	translate
	sed -i 's/"wlan\*" {/& nat64 = "2001:db8:64::\/96"/' "$lab_dir/policy.conf"
	look_at 10.9.0.2
	say
	lab_event wlan0 down
	sleep 1
	run grep -c ': on wwan0' "$lab_dir/client.log"
	[ "$output" = 0 ]
	grep -q 'waiting: ' "$lab_dir/client.log"
	lab_event wlan0 up
	say
}

# Both uplinks lead into a network 10.1.0.0/24 with a router 10.1.0.1; the client is that address on wwan0.
same_subnet() { # ADDRESS
	local n
	for n in wlan0 wwan0; do
		only 4 "$n"
	done
	ip -n "$lab-r" addr flush dev r-wwan0
	ip -n "$lab-r" addr add 10.1.0.1/24 dev r-wwan0
	ip -n "$lab-c" addr flush dev wwan0
	ip -n "$lab-c" addr add "$1/24" dev wwan0
	ip -n "$lab-c" route add default via 10.1.0.1 dev wwan0 metric 200
	ip -n "$lab-r" route add "$1/32" dev r-wwan0
	# What the way back is turned to is not up yet: the router must not remember that nobody answered there.
	for n in wlan0 wwan0; do
		ip -n "$lab-r" neigh replace 10.1.0.2 dev "r-$n" nud permanent \
			lladdr "$(in_client cat "/sys/class/net/$n/address")"
	done
}

@test "two uplinks with the same subnet" {
	same_subnet 10.1.0.3
	look_at 10.9.0.2
	say
	lab_event wlan0 down
	moved wwan0
	say
	by 10.1.0.3%wwan0
	lab_event wlan0 up
	moved wlan0
	say
	by 10.1.0.2%wlan0
}

@test "two uplinks with the same address" {
	same_subnet 10.1.0.2
	lab_event wlan0 down
	look_at 10.9.0.2
	say
	# Each has a translator of its own in the world; here the way back is turned by hand.
	ip -n "$lab-r" route replace 10.1.0.2/32 dev r-wlan0
	lab_event wlan0 up
	moved wlan0
	say
	ip -n "$lab-r" route replace 10.1.0.2/32 dev r-wwan0
	lab_event wlan0 down
	moved wwan0
	say
}

@test "a program that chooses its interface itself is left alone" {
	cat >"$lab_dir/chooses.py" <<-'END'
		import socket, struct, sys
		s = socket.socket()
		if sys.argv[1] == "unicast":
		    s.setsockopt(socket.IPPROTO_IP, 50, struct.pack("!I", socket.if_nametoindex("wwan0")))
		elif sys.argv[1] == "device":
		    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"wwan0")
		elif sys.argv[1] == "source":
		    s.bind(("10.2.0.2", 0))
		s.connect(("10.9.0.2", 9000))
	END
	local how
	for how in unicast device source; do
		covered python3 "$lab_dir/chooses.py" "$how"
	done
	[ ! -e "$lab_dir/client.log" ] || [ "$(grep -c 'session open' "$lab_dir/client.log")" = 0 ]
	covered python3 "$lab_dir/chooses.py" not
	grep -q 'session open' "$lab_dir/client.log"
}

@test "a connection from a Mobile IPv6 home address is left to what moves it below us" {
	ip -n "$lab-c" addr add fd00:1::99/64 dev wlan0 home nodad || skip "this kernel knows no home addresses"
	in_client ip route get fd00:9::2 | grep -q 'src fd00:1::99' || skip "this kernel does not prefer home addresses"
	look_at fd00:9::2
	say
	by fd00:1::99
	sleep 0.5
	# Its mobility driver moves the address; to us it is not lost.
	ip -n "$lab-c" addr del fd00:1::99/64 dev wlan0
	ip -n "$lab-c" link set wlan0 down
	sleep 1
	run grep -c 'flow 1: .*wwan0' "$lab_dir/client.log"
	[ "$output" = 0 ]
	[ "$(in_client "$lab_build/mifcont" status --json | jq -r '.[].flows[].path.interface')" = wlan0 ]
}
