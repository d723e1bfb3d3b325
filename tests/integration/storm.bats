#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# A storm of random changes over hundreds of interfaces: what `ip monitor` saw against what `mifcont events` and a subscriber of
# the MIF API were told. Nothing is told that did not happen, in an order that makes no sense, or wrong in the end. `ip -batch`
# makes every kind of change, but waits for each; tests/lab/gale makes addresses by the ten thousand a second, or more if it is let.

source "$BATS_TEST_DIRNAME/helper.bash"

setup() {
	need_lab
	for tool in jq python3; do
		command -v $tool >/dev/null || skip "$tool is missing"
	done
	storm=$lab_root/tests/lab/storm.py
	mifcont=$lab_build/mifcont
	dir=$BATS_TEST_TMPDIR
	# Nobody tells but those whom a test starts.
	export MIFCONT_SERVICE=$dir/none
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

# In the background, and the process itself, not a shell around it, is the next of $pids.
start() { # OUTPUT CMD...
	local output=$1
	shift
	ip netns exec "$lab-c" "$@" >"$output" 2>>"$dir/err" 3>&- </dev/null &
	pids+=($!)
}

listen() {
	start "$dir/events" "$mifcont" events --json
	start "$dir/mif" "$mifcont" mif --json "announce interfaces" "announce pvd" "announce address"
	start "$dir/monitor" ip -rcvbuf 4000000 monitor link address
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

# All have heard it, and so all before it.
last_word() {
	in_client ip link add last type veth peer name last-peer
	in_client ip link set last addrgenmode none
	in_client ip link set last-peer addrgenmode none
	in_client ip link set last-peer up
	in_client ip addr add 203.0.113.7/32 dev last
	in_client ip link set last up
}

blow() { # SEED CHANGES [KIND]
	local begun
	python3 "$storm" make "$1" "$2" 150 "$lab-s" | grep "${3:-.}" >"$dir/changes"
	begun=$(date +%s%N)
	in_client ip -force -batch "$dir/changes" >"$dir/ip" 2>&1 || :
	echo "# $2 changes at $(($2 * 1000000 / (($(date +%s%N) - begun) / 1000))) a second" >&3
	last_word
}

# One more listener, with a service that listens for it.
be_served() {
	export MIFCONT_SERVICE=$dir/service.sock
	start "$dir/service" "$lab_build/mifcontd" --socket "$MIFCONT_SERVICE" --user root
	service=${pids[3]}
	for _ in $(seq 200); do
		[ ! -S "$MIFCONT_SERVICE" ] || break
		sleep 0.05
	done
	start "$dir/served" "$mifcont" events --json
	for _ in $(seq 200); do
		if grep -q '"t149"' "$dir/served"; then break; fi
		sleep 0.05
	done
	# It has no socket of rtnetlink itself.
	[ -z "$(sockets_of "${pids[4]}")" ]
	MIFCONT_SERVICE=$dir/none
}

sockets_of() { # PID: of rtnetlink, as inode and datagrams that found no room
	local fd
	for fd in /proc/"$1"/fd/*; do
		readlink "$fd"
	done | sed -n 's/^socket:\[\(.*\)\]$/\1/p' |
		awk 'NR == FNR { its[$1]; next } $NF in its { print $NF, $(NF - 1) }' - "/proc/$1/net/netlink"
}

lost() { # PID: how many overruns
	sockets_of "$1" | awk '{ n += $2 } END { print n + 0 }'
}

spent() { # PID: of the processor, in milliseconds
	awk -v "hz=$(getconf CLK_TCK)" '{ print int(($14 + $15) * 1000 / hz) }' "/proc/$1/stat"
}

names=(events mif "ip monitor" mifcontd "events, served")

# What it cost them, for who reads the tests' output.
tell() {
	local i
	for i in "${!pids[@]}"; do
		echo "# ${names[i]}: $(lost "${pids[i]}") overruns, $(spent "${pids[i]}") ms of the processor" >&3
	done
}

gale() { # SEED CHANGES [RATE]
	in_client "$lab_build/lab/gale" "$1" "$2" 150 ${3:+"$3"} >"$dir/made" 2>"$dir/gale"
	echo "# $(cat "$dir/gale")" >&3
	[ "$(cut -d' ' -f1 "$dir/gale")" -ge "$2" ]
	last_word
}

settled() { # FILE...: of events, beside those of the first two
	local word='"Address Announcement".*203.0.113.7' file
	for _ in $(seq 600); do
		for file in events mif "$@"; do
			grep -q "$word" "$dir/$file" || break
		done
		if grep -q "$word" "$dir/$file" && grep -q 203.0.113.7 "$dir/monitor"; then
			in_client ip -j addr >"$dir/table"
			return 0
		fi
		sleep 0.1
	done
	echo "never came to rest"
	return 1
}

# What an overrun left to be asked for again may take some seconds; then nothing is wrong any more.
compare() { # FILE...
	local file
	for file in events mif "$@"; do
		for _ in $(seq 40); do
			! python3 "$storm" check "$dir/$file" "$dir/monitor" "$dir/table" >"$dir/said" || break
			sleep 0.5
		done
		cat "$dir/err" "$dir/said"
		python3 "$storm" check "$dir/$file" "$dir/monitor" "$dir/table"
	done
}

# Where `ip monitor` did not see all itself, whoever made it has.
compare_with_made() {
	if [ "$(lost "${pids[2]}")" != 0 ]; then
		cat "$dir/made" >>"$dir/monitor"
	fi
	compare "$@"
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
	[ "$(lost "${pids[0]}")" -gt 0 ]
	[ "$(lost "${pids[1]}")" -gt 0 ]
	kill -CONT "${pids[0]}" "${pids[1]}"
	settled
	compare
}

@test "10,000 changes a second for some seconds" {
	[ -x "$lab_build/lab/gale" ]
	listen
	be_served
	gale 6 40000 10000
	settled served
	tell
	compare_with_made served
}

@test "40,000 changes as fast as the kernel makes them, listened to" {
	[ -x "$lab_build/lab/gale" ]
	listen
	be_served
	gale 4 40000
	settled served
	tell
	compare_with_made served
}

@test "the same, and nobody reads until it is over: each overruns, and knows what there is" {
	[ -x "$lab_build/lab/gale" ]
	listen
	be_served
	kill -STOP "${pids[0]}" "${pids[1]}" "$service"
	gale 5 40000
	for i in 0 1 3; do
		[ "$(lost "${pids[i]}")" -gt 0 ]
	done
	kill -CONT "${pids[0]}" "${pids[1]}" "$service"
	settled served
	tell
	compare_with_made served
	# And so does who comes now, and asks the service.
	MIFCONT_SERVICE=$dir/service.sock in_client "$mifcont" events --once --json >"$dir/late"
	python3 "$storm" check "$dir/late" "$dir/monitor" "$dir/table"
}
