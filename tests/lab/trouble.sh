# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034  # what lab.sh set, and what its callers use
# What can happen to a network besides lab_event, to be sourced after lab.sh and used once the lab is up.
#
#   trouble_blackhole wlan0|wwan0 on|off   the router takes everything and passes nothing on; the link stays up
#   trouble_renumber wlan0|wwan0           the client's IPv4 address is replaced by another one
#   trouble_nat                            from now on the router translates the client's addresses (IPv4)
#   trouble_rebind                         and now it forgets every mapping it has; 1: no tool for it
#   trouble_box                            a split-TCP box: haproxy in the router acknowledges and passes on (IPv4, port 7343)
#   trouble_box_killed                     it dies with all it holds, and is started anew

trouble_blackhole() {
	local family
	for family in ip ip6; do
		in_router nft delete table "$family" "hole_$1" 2>/dev/null || :
		[ "$2" = on ] || continue
		in_router nft add table "$family" "hole_$1"
		in_router nft add chain "$family" "hole_$1" in '{ type filter hook prerouting priority -400; }'
		in_router nft add rule "$family" "hole_$1" in iifname "r-$1" drop
		in_router nft add chain "$family" "hole_$1" out '{ type filter hook postrouting priority 400; }'
		in_router nft add rule "$family" "hole_$1" out oifname "r-$1" drop
	done
}

trouble_renumber() {
	local k old
	k=$(lab_number "$1")
	old=$(ip -n "$lab-c" -4 -o addr show dev "$1" scope global | awk '{ print $4 }')
	# Without this the kernel removes with the first address all that came after it.
	in_client sysctl -qw "net.ipv4.conf.$1.promote_secondaries=1"
	ip -n "$lab-c" addr add "10.$k.0.$((RANDOM % 200 + 10))/24" dev "$1" 2>/dev/null || return 0
	for old in $old; do ip -n "$lab-c" addr del "$old" dev "$1"; done
	ip -n "$lab-c" route replace default via "10.$k.0.1" dev "$1" metric "${k}00" 2>/dev/null || :
}

trouble_nat() {
	in_router nft add table ip translate
	in_router nft add chain ip translate post '{ type nat hook postrouting priority 100; }'
	in_router nft add rule ip translate post oifname r-server ip protocol tcp snat to 10.9.0.1:20000-60000 random
}

trouble_rebind() {
	command -v conntrack >/dev/null || return 1
	in_router conntrack -F >/dev/null 2>&1
}

trouble_box() {
	cat >"$lab_dir/box.cfg" <<-'END'
		defaults
			mode tcp
			timeout connect 5s
			timeout client 1h
			timeout server 1h
		listen box
			bind 0.0.0.0:17343
			server relay 10.9.0.2:7343
	END
	in_router nft add table ip box
	in_router nft add chain ip box pre '{ type nat hook prerouting priority -100; }'
	in_router nft add rule ip box pre iifname '{ "r-wlan0", "r-wwan0" }' tcp dport 7343 redirect to :17343
	trouble_box_started
}

trouble_box_started() {
	lab_spawn router "$lab_dir/box.log" haproxy -db -f "$lab_dir/box.cfg"
	box_pid=$lab_pid
	lab_wait_port router 17343
}

trouble_box_killed() {
	local old=$box_pid
	# The next one listens already (SO_REUSEPORT): it is what the box held that is lost, not its address.
	trouble_box_started
	kill -9 "$old" 2>/dev/null || :
	wait "$old" 2>/dev/null || :
}
