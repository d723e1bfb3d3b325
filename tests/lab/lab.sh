# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A small internet in network namespaces, to be sourced:
#
#   client (wlan0, wwan0) --- router --- server
#
#   lab_up [delay MS] [rate MBIT] [loss PERCENT]     makes it; figures are for each of the client's links, one way
#   lab_down                                         removes it, and ends what was started in it
#   in_client CMD..., in_server CMD..., in_router CMD...
#   lab_spawn server|client|router LOG CMD...               in the background, ended by lab_down; its pid in $lab_pid
#   lab_event wlan0|wwan0 down|up|carrier-off|carrier-on|addr-del|addr-add|delete|create|dead|alive
#
# The server is 10.9.0.2 and fd00:9::2; the client 10.1.0.2 / fd00:1::2 on wlan0 (metric 100) and
# 10.2.0.2 / fd00:2::2 on wwan0 (metric 200). Several labs may exist at once.

lab_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lab_build=${MIFCONT_BUILD:-$lab_root/build}

# Why there can be no lab here, or nothing.
lab_missing() {
	local tool
	for tool in ip unshare sysctl; do
		command -v "$tool" >/dev/null || { echo "no $tool"; return; }
	done
	if [ "$(id -u)" != 0 ]; then
		echo "not root, and not in a user namespace"
		return
	fi
	unshare -n true 2>/dev/null || echo "this kernel or container allows no network namespaces"
}

# Re-executes the calling script as root of its own user namespace when it is not root.
lab_become_root() {
	if [ "$(id -u)" != 0 ] && unshare -Urnmu true 2>/dev/null; then
		exec unshare -Urnmu bash -c 'mount -t tmpfs tmpfs /run && mkdir -p /run/netns && exec "$@"' - "$@"
	fi
}

in_client() { ip netns exec "$lab-c" "$@"; }
in_router() { ip netns exec "$lab-r" "$@"; }
in_server() { ip netns exec "$lab-s" "$@"; }

lab_spawn() {
	local where=$1 log=$2
	shift 2
	ip netns exec "$lab-${where:0:1}" "$@" >"$log" 2>&1 3>&- </dev/null &
	lab_pid=$!
	echo "$lab_pid" >>"$lab_dir/pids"
}

# A name server on the server: lab_names NAME=ADDRESS[@PREFIX] ... (see dns.py), and a script by which a command
# asks it: bash $lab_dir/resolving CMD...
lab_names() {
	echo "nameserver 10.9.0.2" >"$lab_dir/resolv.conf"
	printf 'exec unshare -m sh -c "mount --bind %s /etc/resolv.conf && exec \\"\\$@\\"" - "$@"\n' \
		"$lab_dir/resolv.conf" >"$lab_dir/resolving"
	lab_spawn server "$lab_dir/dns.log" python3 "$lab_root/tests/lab/dns.py" 10.9.0.2 "$@"
}

# Until something listens there (5 s at most): lab_wait_port client|router|server PORT
lab_wait_port() {
	local i
	for ((i = 0; i < 100; i++)); do
		ip netns exec "$lab-${1:0:1}" ss -Hltn "sport = :$2" | grep -q . && return 0
		sleep 0.05
	done
	echo "nothing listens on port $2 of the $1"
	return 1
}

lab_wire() { # NAME INTERFACE
	[ -n "$lab_shaped" ] || return 0
	ip netns exec "$lab-a" "$lab_build/lab/wire" "$1-c" "$1-r" --delay "$lab_delay" --rate "$lab_rate" \
		--loss "$lab_loss" >/dev/null 2>>"$lab_dir/wire.log" 3>&- </dev/null &
	echo $! >>"$lab_dir/pids"
}

lab_no_offload() { # NAMESPACE INTERFACE
	ip netns exec "$1" ethtool -K "$2" tso off gso off gro off tx off >/dev/null 2>&1 || :
}

# One of the client's links. With delay, rate or loss there is a cable in between, in the namespace "air".
lab_link() { # NAME NUMBER METRIC
	local n=$1 k=$2
	if [ -n "$lab_shaped" ]; then
		ip -n "$lab-c" link add "$n" type veth peer name "$n-c" netns "$lab-a"
		ip -n "$lab-r" link add "r-$n" type veth peer name "$n-r" netns "$lab-a"
		ip -n "$lab-a" link set "$n-c" up
		ip -n "$lab-a" link set "$n-r" up
		lab_no_offload "$lab-c" "$n"
		lab_no_offload "$lab-r" "r-$n"
		lab_no_offload "$lab-a" "$n-c"
		lab_no_offload "$lab-a" "$n-r"
	else
		ip -n "$lab-c" link add "$n" type veth peer name "r-$n" netns "$lab-r"
	fi
	ip -n "$lab-r" addr replace "10.$k.0.1/24" dev "r-$n"
	ip -n "$lab-r" addr replace "fd00:$k::1/64" dev "r-$n" nodad
	ip -n "$lab-r" link set "r-$n" up
	ip -n "$lab-c" link set "$n" up
	lab_address "$n"
	lab_wire "$n"
}

lab_number() { [ "$1" = wlan0 ] && echo 1 || echo 2; }

# What a network manager does when a link is there: addresses and default routes.
lab_address() {
	local k
	k=$(lab_number "$1")
	ip -n "$lab-c" addr replace "10.$k.0.2/24" dev "$1"
	ip -n "$lab-c" addr replace "fd00:$k::2/64" dev "$1" nodad
	ip -n "$lab-c" route replace default via "10.$k.0.1" dev "$1" metric "${k}00"
	ip -n "$lab-c" -6 route replace default via "fd00:$k::1" dev "$1" metric "${k}00"
}

lab_up() {
	lab=mc$$-$RANDOM
	lab_dir=$(mktemp -d)
	# The user's own policy, keys and known relays are not the lab's.
	export XDG_STATE_HOME="$lab_dir/xdg-state" XDG_CONFIG_HOME="$lab_dir/xdg-config"
	lab_delay=${1:-0} lab_rate=${2:-0} lab_loss=${3:-0} lab_shaped=
	if [ "$lab_delay$lab_rate$lab_loss" != 000 ]; then
		lab_shaped=yes
	fi
	local ns
	: >"$lab_dir/pids"
	for ns in c r s a; do
		ip netns add "$lab-$ns"
		ip -n "$lab-$ns" link set lo up
		# IPv6 addresses are usable at once; two uplinks need replies that come by either.
		ip netns exec "$lab-$ns" sysctl -qw net.ipv4.conf.all.rp_filter=0 \
			net.ipv4.conf.default.rp_filter=0 net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.accept_dad=0
	done
	in_router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	ip -n "$lab-s" link add eth0 type veth peer name r-server netns "$lab-r"
	ip -n "$lab-r" addr add 10.9.0.1/24 dev r-server
	ip -n "$lab-r" addr add fd00:9::1/64 dev r-server nodad
	ip -n "$lab-r" link set r-server up
	ip -n "$lab-s" addr add 10.9.0.2/24 dev eth0
	ip -n "$lab-s" addr add fd00:9::2/64 dev eth0 nodad
	ip -n "$lab-s" link set eth0 up
	ip -n "$lab-s" route add default via 10.9.0.1
	ip -n "$lab-s" -6 route add default via fd00:9::1
	lab_link wlan0 1
	lab_link wwan0 2
}

lab_event() {
	local far=$lab-r end=r-$1
	[ -z "$lab_shaped" ] || { far=$lab-a end=$1-c; }
	case $2 in
	down) ip -n "$lab-c" link set "$1" down ;;
	up) ip -n "$lab-c" link set "$1" up && lab_address "$1" ;;
	carrier-off) ip -n "$far" link set "$end" down ;;
	carrier-on) ip -n "$far" link set "$end" up && lab_address "$1" ;;
	addr-del) ip -n "$lab-c" addr flush dev "$1" scope global ;;
	addr-add) lab_address "$1" ;;
	# Up, and nothing goes through.
	dead)
		in_router nft -f - <<-END
			table inet dead-$1 {
				chain in { type filter hook prerouting priority -400; iifname "r-$1" drop; }
				chain out { type filter hook postrouting priority 400; oifname "r-$1" drop; }
			}
		END
		;;
	alive) in_router nft delete table inet "dead-$1" ;;
	delete) ip -n "$lab-c" link del "$1" ;;
	create)
		ip -n "$lab-r" link del "r-$1" 2>/dev/null || :
		[ -z "$lab_shaped" ] || ip -n "$lab-a" link del "$1-c" 2>/dev/null || :
		lab_link "$1" "$(lab_number "$1")"
		;;
	esac
}

lab_down() {
	local pid ns
	[ -n "${lab:-}" ] || return 0
	while read -r pid; do
		kill "$pid" 2>/dev/null || :
	done <"$lab_dir/pids"
	# What is still in the namespaces was started by what was started here.
	for ns in c r s a; do
		for pid in $(ip netns pids "$lab-$ns" 2>/dev/null); do
			kill -9 "$pid" 2>/dev/null || :
		done
		ip netns del "$lab-$ns" 2>/dev/null || :
	done
	rm -rf "$lab_dir"
	lab=
}
