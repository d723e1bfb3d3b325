#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The MIF API, message by message (docs/mif.md has them all): what in a real network causes each, and what libmif
# and `mifcont mif` make of it.

source "$BATS_TEST_DIRNAME/helper.bash"

setup() {
	need_lab
	for tool in jq python3 cc pkg-config mount; do
		command -v $tool >/dev/null || skip "$tool is missing"
	done
	lab_up
	mifcont=$lab_build/mifcont
	# The managers' files of this host are none of the lab's.
	mkdir -p "$lab_dir/run/systemd/netif/links" "$lab_dir/empty"
	: >"$lab_dir/resolv.conf"
	cat >"$lab_dir/managed" <<-END
		exec unshare -m sh -c 'mount --bind "$lab_dir/run" /run && mount --bind "$lab_dir/resolv.conf" /etc/resolv.conf &&
			mount --bind "$lab_dir/empty" /var/lib/dhcp 2>/dev/null; exec "\$@"' - "\$@"
	END
	out=$lab_dir/out
	session=
}

teardown() {
	if [ -z "${BATS_TEST_COMPLETED:-}" ] && [ -f "${out:-}" ]; then
		cat "$out"
	fi
	[ -z "${session:-}" ] || { exec {to}>&-; kill "$session" 2>/dev/null || :; }
	lab_down
}

managed() { in_client bash "$lab_dir/managed" "$@"; }

# A session of `mifcont mif --json`: requests by `post`, its messages in $out.
session() {
	mkfifo "$lab_dir/requests"
	managed "$mifcont" mif --json <"$lab_dir/requests" >"$out" 2>"$lab_dir/err" 3>&- &
	session=$!
	exec {to}>"$lab_dir/requests"
}

post() { echo "$*" >&"$to"; }

# Until a message satisfies the filter; the `count`th such one.
await() { # FILTER [COUNT]
	local i
	for ((i = 0; i < 200; i++)); do
		[ "$(jq -c "select($1)" "$out" 2>/dev/null | wc -l)" -lt "${2:-1}" ] || return 0
		sleep 0.05
	done
	echo "never came: $1"
	cat "$lab_dir/err"
	return 1
}

# The messages about an interface since this line of the output, in short.
told() { # INTERFACE FROM
	tail -n "+$2" "$out" | jq -r --arg i "$1" 'select(.interface == $i) |
		"\(.event)\(if .element then " " + .element else "" end)\(if .address then " " + .address else "" end)"' |
		grep -v ' fe80::'
}

here() { echo $(($(wc -l <"$out") + 1)); }

pvd_of() { jq -r --arg i "$1" 'select(.event == "Provisioning Domain Announcement" and .interface == $i) | .pvd' "$out" | tail -n 1; }

index() { in_client cat "/sys/class/net/$1/ifindex"; }

# What a manager says of an interface's name servers.
servers() { # INTERFACE LINES...
	printf '%s\n' "${@:2}" >"$lab_dir/run/systemd/netif/links/$(index "$1")"
}

# A name server on the router: its address, and what it says.
names() { # ADDRESS NAME=ADDRESS...
	local i
	lab_spawn router "$lab_dir/dns-$1" python3 "$lab_root/tests/lab/dns.py" "$@"
	for ((i = 0; i < 100; i++)); do
		! in_router ss -Hlun "src $1:53" | grep -q . || return 0
		sleep 0.05
	done
	echo "no name server at $1"
	return 1
}

everything() {
	post announce interfaces
	post announce pvd
	post announce element
	post announce address
	await '.event == "Address Announcement" and .address == "fd00:1::2"'
	await '.event == "Address Announcement" and .address == "fd00:2::2"'
}

@test "interfaces: announced, renamed, gone, and no longer asked for" {
	session
	post announce interfaces
	await '.event == "Interface Announcement" and .interface == "wlan0"'
	await '.event == "Interface Announcement" and .interface == "wwan0"'
	in_client ip link add usb0 type veth peer name usb-far
	await '.event == "Interface Announcement" and .interface == "usb0"'
	in_client ip link set usb0 name tun7
	await '.event == "Interface Announcement" and .interface == "tun7"'
	# A port of a bridge carries nothing of its own; let go, it does again.
	in_client ip link add br0 type bridge
	in_client ip link set tun7 master br0
	await '.event == "No Interface Announcement" and .interface == "tun7"'
	in_client ip link set tun7 nomaster
	await '.event == "Interface Announcement" and .interface == "tun7"' 2
	# Moved to another namespace, it is gone.
	in_client ip link set tun7 netns "$lab-s"
	await '.event == "No Interface Announcement" and .interface == "tun7"' 2
	ip -n "$lab-s" link del tun7
	post stop interfaces
	post announce pvd
	await '.event == "Provisioning Domain Announcement" and .interface == "wwan0"'
	in_client ip link del br0
	in_client ip link add br1 type bridge
	never jq -e 'select(.interface == "br1")' "$out"
	[ ! -s "$lab_dir/err" ]
}

@test "each stop: of what was asked for, of that alone, and at once" {
	local from
	session
	everything
	# Of one domain and one interface: all were asked for.
	post stop address "$(pvd_of wlan0)"
	post stop element "$(pvd_of wlan0)"
	post stop pvd wlan0
	from=$(here)
	lab_event wlan0 carrier-off
	await '.event == "No Provisioning Domain Announcement" and .interface == "wlan0"'
	[ "$(told wlan0 "$from" | grep -c '^No ')" = 5 ]
	lab_event wlan0 carrier-on
	await '.event == "Address Announcement" and .address == "10.1.0.2"' 2
	# One kind after the other; the interface is the last that is heard of.
	post stop element
	from=$(here)
	lab_event wlan0 carrier-off
	await '.event == "No Provisioning Domain Announcement" and .interface == "wlan0"' 2
	told wlan0 "$from" | grep -q '^No Address Announcement 10.1.0.2'
	never grep -q Element <(told wlan0 "$from")
	post stop address
	lab_event wlan0 carrier-on
	await '.event == "Provisioning Domain Announcement" and .interface == "wlan0"' 3
	post stop pvd
	from=$(here)
	lab_event wlan0 carrier-off
	await '.event == "Interface is going away" and .interface == "wlan0"' 3
	lab_event wlan0 carrier-on
	await '.event == "Interface is going up" and .interface == "wlan0"' 3
	[ "$(told wlan0 "$from" | sort -u | xargs)" = "Interface is going away Interface is going up" ]
	post stop interfaces
	from=$(here)
	lab_event wlan0 carrier-off
	# Of one domain alone, by its interface.
	post announce pvd wwan0
	await '.event == "Provisioning Domain Announcement" and .interface == "wwan0"' 2
	post announce address "$(pvd_of wwan0)"
	await '.event == "Address Announcement" and .address == "10.2.0.2"' 2
	[ -z "$(told wlan0 "$from")" ]
	in_client ip addr add 10.2.0.70/24 dev wwan0
	await '.event == "Address Announcement" and .address == "10.2.0.70"'
	post stop address "$(pvd_of wwan0)"
	post stop pvd wwan0
	post get "$(pvd_of wwan0)" link mtu
	await '.event == "Configuration Data" and .number == 1500'
	from=$(here)
	lab_event wwan0 carrier-off
	sleep 0.5
	[ -z "$(told wwan0 "$from")" ]
}

@test "a tunnel comes and goes: interface, domain, element, address, and back in order" {
	local from
	session
	everything
	from=$(here)
	in_client ip link add tun9 type vxlan id 9 remote 10.1.0.1 dstport 4789 dev wlan0
	in_client ip addr add 10.55.0.2/24 dev tun9
	in_client ip link set tun9 up
	await '.event == "Address Announcement" and .address == "10.55.0.2"'
	in_client ip link del tun9
	await '.event == "No Interface Announcement" and .interface == "tun9"'
	diff -u - <(told tun9 "$from") <<-END
		Interface Announcement
		Interface is going up
		Provisioning Domain Announcement
		Configuration Element Announcement static
		Configuration Element Announcement link
		Address Announcement 10.55.0.2
		Interface is going away
		No Address Announcement 10.55.0.2
		No Configuration Element Announcement static
		No Configuration Element Announcement link
		No Provisioning Domain Announcement
		No Interface Announcement
	END
}

@test "carrier loss and return: the same domain; another network: another one" {
	local one
	session
	everything
	one=$(pvd_of wlan0)
	lab_event wlan0 carrier-off
	await '.event == "Interface is going away" and .interface == "wlan0"'
	await '.event == "No Provisioning Domain Announcement" and .interface == "wlan0"'
	lab_event wlan0 carrier-on
	await '.event == "Provisioning Domain Announcement" and .interface == "wlan0"' 2
	[ "$(pvd_of wlan0)" = "$one" ]
	# The cable goes into another network.
	lab_event wlan0 carrier-off
	await '.event == "No Provisioning Domain Announcement" and .interface == "wlan0"' 2
	in_client ip addr flush dev wlan0
	in_client ip addr add 192.168.7.2/24 dev wlan0
	ip -n "$lab-r" link set r-wlan0 up
	in_client ip route add default via 192.168.7.1 dev wlan0
	await '.event == "Provisioning Domain Announcement" and .interface == "wlan0"' 3
	[ "$(pvd_of wlan0)" != "$one" ]
	[ "$(pvd_of wlan0)" != "$(pvd_of wwan0)" ]
}

@test "a network that is addressed like another is told from it by its router" {
	local one
	in_client ip -6 route del default dev wlan0
	session
	everything
	one=$(pvd_of wlan0)
	in_client timeout 2 bash -c ': >/dev/tcp/10.1.0.1/9' 2>/dev/null || :
	sleep 3 # for the kernel to be asked
	lab_event wlan0 carrier-off
	await '.event == "No Provisioning Domain Announcement" and .interface == "wlan0"'
	ip -n "$lab-r" link set r-wlan0 address 02:00:00:00:00:77
	ip -n "$lab-r" link set r-wlan0 up
	await '.event == "Provisioning Domain Announcement" and .interface == "wlan0"' 2
	in_client timeout 2 bash -c ': >/dev/tcp/10.1.0.1/9' 2>/dev/null || :
	# Known only now; then the one ends and the other begins.
	await '.event == "Provisioning Domain Announcement" and .interface == "wlan0"' 3
	[ "$(pvd_of wlan0)" != "$one" ]
}

@test "addresses: verified, given a lifetime, deprecated, expired" {
	session
	everything
	in_client ip addr add 10.1.0.77/24 dev wlan0 valid_lft 3 preferred_lft 1
	await '.event == "Address Announcement" and .address == "10.1.0.77" and .valid <= 3 and .preferred <= 1'
	await '.event == "Address Announcement" and .address == "10.1.0.77" and .deprecated'
	await '.event == "No Address Announcement" and .address == "10.1.0.77"'
	[ "$(jq -r 'select(.address == "10.1.0.77") | .pvd' "$out" | sort -u)" = "$(pvd_of wlan0)" ]
	# An address somebody else has is none: never announced.
	in_client sysctl -qw net.ipv6.conf.all.accept_dad=1 net.ipv6.conf.wlan0.accept_dad=1
	in_client ip addr add fd00:1::1/64 dev wlan0
	in_client ip addr add 10.1.0.78/24 dev wlan0
	await '.address == "10.1.0.78"'
	post stop address
	post get "$(pvd_of wlan0)" link mtu
	await '.event == "Configuration Data" and .number == 1500'
	in_client ip addr add 10.1.0.79/24 dev wlan0
	post get "$(pvd_of wlan0)" link mtu
	await '.event == "Configuration Data" and .number == 1500' 2
	never jq -e 'select(.address == "10.1.0.79" or .address == "fd00:1::1")' "$out"
}

@test "router advertisements: addresses, name servers, suffix, portal, NAT64 prefix, and their end" {
	local pvd
	in_client sysctl -qw net.ipv6.conf.wlan0.accept_ra=2
	session
	everything
	lab_ra() { in_router python3 "$lab_root/tests/lab/ra.py" r-wlan0 "$@"; }
	lab_ra lifetime 1800 prefix 2001:db8:aa::/64 600 300 dns 2001:db8:aa::53 600 search aa.example 600 \
		portal https://portal.aa.example/api pref64 64:ff9b:1::/96 600
	await '.event == "Address Announcement" and (.address | tostring | startswith("2001:db8:aa:")) and .valid <= 600'
	pvd=$(pvd_of wlan0)
	await ".event == \"Configuration Element Announcement\" and .element == \"RA\" and .pvd == \"$pvd\""
	post get "$pvd" RA
	await '.event == "Configuration Data" and .information == "dns-server" and .address == "2001:db8:aa::53"'
	await '.event == "Configuration Data" and .information == "search-domain" and .text == "aa.example"'
	await '.event == "Configuration Data" and .information == "captive-portal" and .text == "https://portal.aa.example/api"'
	await '.event == "Configuration Data" and .information == "nat64-prefix" and .address == "64:ff9b:1::" and .prefix == 96'
	await '.event == "Configuration Data" and .information == "gateway"'
	# Of the other domain nothing is known of it.
	post get "$(pvd_of wwan0)" any dns-server
	await '.event == "No Configuration Data" and .information == "dns-server"'
	# Withdrawn by the router.
	lab_ra lifetime 1800 dns 2001:db8:aa::53 0 search aa.example 0
	post get "$pvd" RA dns-server
	await '.event == "No Configuration Data" and .element == "RA"' ||
		{ post get "$pvd" RA dns-server; await '.event == "No Configuration Data" and .element == "RA"'; }
}

@test "a DHCP lease: address with its lifetime, server, domain, and their end" {
	local pvd
	command -v dhclient >/dev/null || skip "dhclient is missing"
	command -v dnsmasq >/dev/null || skip "dnsmasq is missing"
	in_client ip addr flush dev wlan0 scope global
	session
	post announce interfaces
	post announce pvd
	post announce element
	post announce address
	await '.event == "Interface Announcement" and .interface == "wwan0"'
	# Without a change of user: there may be no other.
	lab_spawn router "$lab_dir/dnsmasq" dnsmasq --no-daemon --conf-file=/dev/null --port=0 --bind-interfaces \
		--interface=r-wlan0 --dhcp-range=10.1.0.100,10.1.0.110,300 --dhcp-leasefile="$lab_dir/served" --log-dhcp \
		--dhcp-option=option:router,10.1.0.1 --dhcp-option=option:dns-server,10.1.0.1,10.1.0.54 \
		--dhcp-option=option:domain-name,lease.example
	# What a manager's script does.
	cat >"$lab_dir/script" <<-'END'
		#!/bin/sh
		case $reason in
		BOUND | RENEW | REBIND)
			ip addr replace "$new_ip_address/24" dev "$interface" valid_lft "$new_dhcp_lease_time" preferred_lft "$new_dhcp_lease_time"
			ip route replace default via "$new_routers" dev "$interface" proto dhcp metric 100
			;;
		RELEASE | STOP | EXPIRE) ip addr flush dev "$interface" scope global ;;
		esac
	END
	chmod +x "$lab_dir/script"
	# The lease's file is where the library looks, in its view of the host.
	client() {
		timeout 60 ip netns exec "$lab-c" dhclient -4 -v "$@" -sf "$lab_dir/script" -pf "$lab_dir/dhclient.pid" \
			-lf "$lab_dir/empty/dhclient.wlan0.leases" wlan0 >>"$lab_dir/dhclient" 2>&1 3>&-
	}
	client -1 || { cat "$lab_dir/dhclient" "$lab_dir/dnsmasq"; false; }
	await '.event == "Address Announcement" and (.address | tostring | startswith("10.1.0.1")) and .valid <= 300'
	pvd=$(pvd_of wlan0)
	await ".event == \"Configuration Element Announcement\" and .element == \"DHCPv4\" and .pvd == \"$pvd\""
	for ((i = 0; i < 20; i++)); do
		post get "$pvd" DHCPv4
		sleep 0.2
		! jq -e 'select(.event == "Configuration Data" and .address == "10.1.0.54")' "$out" >/dev/null || break
	done
	await '.event == "Configuration Data" and .information == "gateway" and .address == "10.1.0.1" and .element == "DHCPv4"'
	await '.event == "Configuration Data" and .information == "dns-server" and .address == "10.1.0.54"'
	await '.event == "Configuration Data" and .information == "search-domain" and .text == "lease.example"'
	# The routes of the other family are not DHCP's.
	never jq -e 'select(.element == "DHCPv6")' "$out"
	client -r
	await '.event == "No Address Announcement" and (.address | tostring | startswith("10.1.0.1"))'
	await ".event == \"No Configuration Element Announcement\" and .element == \"DHCPv4\" and .pvd == \"$pvd\""
	await ".event == \"No Provisioning Domain Announcement\" and .pvd == \"$pvd\""
}

# busybox's server on the router.
leases() { # FIRST LAST SECONDS
	cat >"$lab_dir/udhcpd.conf" <<-END
		start $1
		end $2
		interface r-wlan0
		lease_file $lab_dir/leases
		pidfile $lab_dir/udhcpd.pid
		min_lease 2
		option lease $3
		option subnet 255.255.255.0
		option router 10.1.0.1
		option dns 10.1.0.54
		option domain lease.example
	END
	: >"$lab_dir/leases"
	lab_spawn router "$lab_dir/udhcpd.log" busybox udhcpd -f "$lab_dir/udhcpd.conf"
}

# wlan0 is to be configured by a DHCP client, and is heard of from the beginning.
unconfigured() {
	in_client ip addr flush dev wlan0 scope global
	in_client ip route flush dev wlan0
	session
	post announce interfaces
	post announce pvd
	post announce element
	post announce address
	await '.event == "Interface Announcement" and .interface == "wwan0"'
}

@test "udhcpc: a lease, its release, another one; what resolvconf keeps of it" {
	command -v busybox >/dev/null || skip "busybox is missing"
	local server client
	unconfigured
	leases 10.1.0.100 10.1.0.110 60
	server=$lab_pid
	# As the one of the package does it where there is resolvconf.
	mkdir -p "$lab_dir/run/resolvconf/interface"
	cat >"$lab_dir/script" <<-'END'
		#!/bin/sh
		case $1 in
		bound | renew)
			busybox ifconfig "$interface" "$ip" netmask "$subnet"
			ip route replace default via "$router" dev "$interface" metric 100
			printf 'search %s\nnameserver %s\n' "$domain" "$dns" >"/run/resolvconf/interface/$interface.udhcpc"
			;;
		deconfig)
			ip -4 addr flush dev "$interface"
			rm -f "/run/resolvconf/interface/$interface.udhcpc"
			;;
		esac
	END
	chmod +x "$lab_dir/script"
	lab_spawn client "$lab_dir/udhcpc" bash "$lab_dir/managed" busybox udhcpc -f -i wlan0 -t 2 -T 1 -A 1 -s "$lab_dir/script"
	client=$lab_pid
	await '.event == "Address Announcement" and (.address | tostring | startswith("10.1.0.1")) and .prefix == 24'
	await '.event == "Configuration Element Announcement" and .element == "DHCPv4" and .interface == "wlan0"'
	post get "$(pvd_of wlan0)" DHCPv4
	await '.event == "Configuration Data" and .information == "dns-server" and .address == "10.1.0.54"'
	kill -USR2 "$client"
	await '.event == "No Address Announcement" and (.address | tostring | startswith("10.1.0.10"))'
	await '.event == "No Provisioning Domain Announcement" and .interface == "wlan0"'
	# The next server has others to give.
	kill "$server"
	is_over "$server"
	leases 10.1.0.120 10.1.0.130 60
	kill -USR1 "$client"
	await '.event == "Address Announcement" and (.address | tostring | startswith("10.1.0.12")) and .prefix == 24'
	await '.event == "Configuration Element Announcement" and .element == "DHCPv4" and .interface == "wlan0"' 2
	# The same network: the same domain.
	[ "$(jq -r 'select(.event == "Provisioning Domain Announcement" and .interface == "wlan0") | .pvd' "$out" | sort -u | wc -l)" = 1 ]
	kill -USR2 "$client"
	await '.event == "No Provisioning Domain Announcement" and .interface == "wlan0"' 2
	never jq -e 'select(.event == "No Interface Announcement" or .event == "Interface is going away")' "$out"
}

@test "dhcpcd: a lease with its lifetime, its files, and released" {
	command -v dhcpcd >/dev/null || skip "dhcpcd is missing"
	command -v busybox >/dev/null || skip "busybox is missing"
	unconfigured
	leases 10.1.0.100 10.1.0.110 60
	dhcpcd() {
		managed sh -c 'mkdir -p /var/lib/dhcpcd && mount -t tmpfs tmpfs /var/lib/dhcpcd && exec dhcpcd "$@"' - \
			-4 --noarp --nolink --nohook hostname "$@" wlan0 >>"$lab_dir/dhcpcd" 2>&1 3>&-
	}
	dhcpcd -B &
	echo $! >>"$lab_dir/pids"
	await '.event == "Address Announcement" and (.address | tostring | startswith("10.1.0.1")) and .valid <= 60' ||
		{ cat "$lab_dir/dhcpcd"; false; }
	for ((i = 0; i < 50; i++)); do
		post get "$(pvd_of wlan0)" DHCPv4 dns-server
		! jq -e 'select(.event == "Configuration Data" and .address == "10.1.0.54")' "$out" >/dev/null || break
		sleep 0.2
	done
	await '.event == "Configuration Data" and .address == "10.1.0.54" and .element == "DHCPv4"'
	dhcpcd -k
	await '.event == "No Address Announcement" and (.address | tostring | startswith("10.1.0.1"))'
	await '.event == "No Configuration Element Announcement" and .element == "DHCPv4" and .interface == "wlan0"'
	await '.event == "No Provisioning Domain Announcement" and .interface == "wlan0"'
}

@test "a manager's files: an element that comes, changes and goes; nothing is guessed" {
	session
	everything
	post get "$(pvd_of wlan0)" any dns-server
	await '.event == "No Configuration Data"'
	# Two uplinks: whose would these be?
	echo "nameserver 10.9.0.2" >"$lab_dir/resolv.conf"
	servers wlan0 DNS=10.1.0.1 "DOMAINS=w.example ~x.example"
	await '.event == "Configuration Element Announcement" and .interface == "wlan0" and .element == "resolver"'
	servers wlan0 "DNS=10.1.0.1 127.0.0.53 10.1.0.9"
	await '.event == "Configuration Element Announcement" and .interface == "wlan0" and .element == "resolver"' 2
	post get "$(pvd_of wlan0)" resolver dns-server
	await '.event == "Configuration Data" and .address == "10.1.0.9"'
	[ "$(jq -r 'select(.event == "Configuration Data") | .address' "$out" | xargs)" = "10.1.0.1 10.1.0.9" ]
	rm "$lab_dir/run/systemd/netif/links/"*
	await '.event == "No Configuration Element Announcement" and .interface == "wlan0" and .element == "resolver"'
	# One uplink: they are its.
	in_client ip route del default dev wwan0
	in_client ip -6 route del default dev wwan0
	await '.event == "Configuration Element Announcement" and .interface == "wlan0" and .element == "resolver"' 3
	never jq -e 'select(.interface == "wwan0" and .element == "resolver")' "$out"
}

@test "a name means in each domain what its own servers say" {
	names 10.1.0.1 www.lab.example=10.9.0.2 \
		www.lab.example=fd00:9::2 only.wlan.example=10.1.1.1 xn--bcher-kva.example=10.1.1.2
	names 10.2.0.1 www.lab.example=192.0.2.2
	servers wlan0 DNS=10.1.0.1 DOMAINS=lab.example
	servers wwan0 DNS=10.2.0.1
	session
	everything
	await '.event == "Configuration Element Announcement" and .interface == "wwan0" and .element == "resolver"'
	post translate 1 www.lab.example "$(pvd_of wlan0)"
	post translate 2 www.lab.example "$(pvd_of wwan0)"
	post translate 3 only.wlan.example "$(pvd_of wwan0)"
	post translate 4 www "$(pvd_of wlan0)"
	post connect pvd "$(pvd_of wlan0)"
	post translate 5 bücher.example
	for i in 1 2 3 4 5; do await ".event == \"No Name Translation\" and .id == $i"; done
	answers() { jq -r "select(.event == \"Name Translation\" and .id == $1) | .address" "$out" | sort | xargs; }
	[ "$(answers 1)" = "10.9.0.2 fd00:9::2" ]
	[ "$(answers 2)" = "192.0.2.2" ]
	[ "$(answers 3)" = "" ]
	[ "$(answers 4)" = "10.9.0.2 fd00:9::2" ]
	[ "$(answers 5)" = "10.1.1.2" ]
	[ "$(jq 'select(.event == "No Name Translation" and .id == 3) | .errno' "$out")" = 2 ]
	grep -q '^10.2.0.2 www.lab.example' "$lab_dir/dns-10.2.0.1"
	never grep -q 'only.wlan' "$lab_dir/dns-10.1.0.1"
	# Stopped before the answer: not another word.
	servers wwan0 DNS=10.2.0.99
	sleep 0.3
	post translate 6 www.lab.example "$(pvd_of wwan0)"
	post stop translating 6
	# No server: at once. And a domain that goes takes its questions along.
	rm "$lab_dir/run/systemd/netif/links/$(index wlan0)"
	await '.event == "No Configuration Element Announcement" and .interface == "wlan0" and .element == "resolver"'
	post translate 7 www.lab.example
	await '.event == "No Name Translation" and .id == 7 and .errno == 89'
	post translate 8 www.lab.example "$(pvd_of wwan0)"
	lab_event wwan0 down
	await '.event == "No Name Translation" and .id == 8 and .errno == 100'
	never jq -e 'select(.id == 6)' "$out"
}

@test "connections: by the domain's interface and address, or a reason why not" {
	lab_spawn server "$lab_dir/tcp" python3 "$lab_root/tests/lab/echo_server.py" 9000
	lab_wait_port server 9000
	in_router nft -f - <<-END
		table inet cut { chain c { type filter hook forward priority 0; ip saddr 10.2.0.3 drop; }; }
	END
	session
	everything
	post connect 1 10.9.0.2 9000 "$(pvd_of wwan0)"
	await '.event == "Connected" and .id == 1 and .source == "10.2.0.2" and .interface == "wwan0"'
	post connect 2 fd00:9::2 9000 "$(pvd_of wlan0)"
	await '.event == "Connected" and .id == 2 and .source == "fd00:1::2"'
	post connect 3 10.9.0.2 9009 "$(pvd_of wlan0)"
	await '.event == "Not Connected" and .id == 3 and .errno == 111'
	# From one address of several, and from one that is not the domain's.
	in_client ip addr add 10.1.0.33/24 dev wlan0
	await '.address == "10.1.0.33"'
	post connect 4 10.9.0.2 9000 from 10.1.0.33 "$(pvd_of wlan0)"
	await '.event == "Connected" and .id == 4 and .source == "10.1.0.33"'
	post connect 5 10.9.0.2 9000 from 10.2.0.2 "$(pvd_of wlan0)"
	await '.event == "Not Connected" and .id == 5 and .errno == 99'
	# Without a route it is not looked for on the link.
	in_client ip route del default dev wwan0
	await '.event == "Configuration Element Announcement" and .interface == "wwan0" and .element == "static"' 2
	post connect 6 10.9.0.2 9000 "$(pvd_of wwan0)"
	await '.event == "Not Connected" and .id == 6 and .errno == 101'
	# One source that nobody answers is not the last word.
	in_client ip route add default via 10.2.0.1 dev wwan0 metric 200
	in_client ip addr flush dev wwan0 scope global
	in_client ip addr add 10.2.0.3/24 dev wwan0
	in_client ip addr add 10.2.0.2/24 dev wwan0
	in_client ip route add default via 10.2.0.1 dev wwan0 metric 200
	await '.event == "Configuration Element Announcement" and .interface == "wwan0" and .element == "static"' 3
	await '.event == "Address Announcement" and .address == "10.2.0.3"'
	await '.event == "Address Announcement" and .address == "10.2.0.2"' 2
	post connect 7 10.9.0.2 9000 "$(pvd_of wwan0)"
	await '.event == "Connected" and .id == 7 and .source == "10.2.0.2"'
	# The domain goes meanwhile; and what is not wanted any more is not told.
	in_router nft add rule inet cut c tcp dport 9100 drop
	post connect 8 10.9.0.2 9100 "$(pvd_of wwan0)"
	post connect 9 10.9.0.2 9100 "$(pvd_of wwan0)"
	post stop connecting 9
	lab_event wwan0 down
	await '.event == "Not Connected" and .id == 8 and .errno == 100'
	never jq -e 'select(.id == 9)' "$out"
}

@test "the application's notes are taken; what is no request is refused" {
	managed "$mifcont" mif --once "note wants-to-connect" "note idle" "note can-be-broken"
	run managed "$mifcont" mif --once "announce address nowhere.example"
	[ "$status" -eq 1 ]
	[[ "$output" == *"No such file or directory"* ]]
	for wrong in "announce" "connect 1 10.9.0.2" "connect x 10.9.0.2 80" "translate" "hello" "get" "get x y"; do
		run managed "$mifcont" mif --once "$wrong"
		[ "$status" -eq 1 ]
		[[ "$output" == *"not understood: $wrong"* ]]
	done
}

@test "the calls: descriptors, sockets of the program's own, errno, children, and what is refused" {
	lab_spawn server "$lab_dir/udp" python3 "$lab_root/tests/lab/udp_echo.py" server 9300
	for ((i = 0; i < 100; i++)); do
		! in_server ss -Hlun "sport = :9300" | grep -q . || break
		sleep 0.05
	done
	managed "$lab_build/lab/mif_calls" wwan0 10.2.0.2 10.9.0.2 9300
}

install_it() {
	make -s -C "$lab_root" install B="${lab_build#"$lab_root"/}" DESTDIR="$lab_dir/to" prefix=/usr >/dev/null
	export PKG_CONFIG_PATH=$lab_dir/to/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$lab_dir/to
	export LD_LIBRARY_PATH=$lab_dir/to/usr/lib
}

@test "libmif is installed as a library is, and exports what its header says" {
	install_it
	[ "$(pkg-config --modversion libmif)" = 0.1 ]
	readelf -d "$lab_dir/to/usr/lib/libmif.so" | grep -q 'SONAME.*\[libmif.so.0\]'
	[ -f "$lab_dir/to/usr/share/man/man3/libmif.3" ]
	diff -u <(grep -o '\bmif_[a-z_]*(' "$lab_dir/to/usr/include/mif.h" | tr -d '(' | sort -u) \
		<(nm -D --defined-only "$lab_dir/to/usr/lib/libmif.so" | awk '$2 == "T" { sub("@.*", "", $3); print $3 }' | sort)
	nm -D --defined-only "$lab_dir/to/usr/lib/libmif.so" | grep -q 'mif_open@@LIBMIF_0'
}

@test "the draft's example: every address from every domain, the first that answers" {
	install_it
	# shellcheck disable=SC2046  # words are meant to split
	cc -Wall -Wextra -Werror -o "$lab_dir/example" "$lab_dir/to/usr/share/doc/mifcont/example.c" \
		$(pkg-config --cflags --libs libmif)
	lab_spawn server "$lab_dir/tcp" python3 "$lab_root/tests/lab/echo_server.py" 9000
	lab_wait_port server 9000
	names 10.1.0.1 www.lab.example=10.9.0.99
	names 10.2.0.1 www.lab.example=10.9.0.2
	servers wlan0 DNS=10.1.0.1
	servers wwan0 DNS=10.2.0.1
	run managed timeout 60 "$lab_dir/example" www.lab.example 9000
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"wlan0: domain implicit-"* ]]
	[[ "$output" == *"wwan0: domain implicit-"* ]]
	# By the one whose answer leads somewhere.
	[ "$(grep -o 'implicit-.*: connected' <<<"$output")" = "$(sed -n 's/^wwan0: domain //p' <<<"$output"): connected" ]
}

@test "the program in the man page, as it stands there" {
	install_it
	awk '/^#include <mif.h>/ { on = 1 } /^\.Ed/ { on = 0 } on' "$lab_root/docs/libmif.3" |
		sed -e 's/\\-/-/g' -e 's/\\en/\\n/g' >"$lab_dir/page.c"
	# shellcheck disable=SC2046  # words are meant to split
	cc -Wall -Wextra -Werror -o "$lab_dir/page" "$lab_dir/page.c" $(pkg-config --cflags --libs libmif)
	managed stdbuf -oL timeout 20 "$lab_dir/page" >"$lab_dir/said" 3>&- &
	session=$!
	exec {to}>/dev/null
	for _ in $(seq 100); do
		[ "$(grep -c '^Provisioning Domain Announcement w[lw]an0 implicit-' "$lab_dir/said")" != 2 ] || break
		sleep 0.05
	done
	lab_event wlan0 down
	for _ in $(seq 100); do
		! grep -q '^No Provisioning Domain Announcement wlan0 ' "$lab_dir/said" || break
		sleep 0.05
	done
	cat "$lab_dir/said"
	grep -q '^No Provisioning Domain Announcement wlan0 ' "$lab_dir/said"
}

@test "a program written from the man page: one domain after the other, lifetimes, and every stop" {
	local line
	install_it
	# shellcheck disable=SC2046  # words are meant to split
	cc -Wall -Wextra -Werror -o "$lab_dir/by_the_page" "$lab_root/tests/programs/by_the_page.c" $(pkg-config --cflags --libs libmif)
	lab_spawn server "$lab_dir/tcp" python3 "$lab_root/tests/lab/echo_server.py" 9000
	lab_wait_port server 9000
	names 10.1.0.1 www.lab.example=10.9.0.2
	names 10.2.0.1 www.lab.example=10.9.0.2
	servers wlan0 DNS=10.1.0.1
	servers wwan0 DNS=10.2.0.1
	says() { # LINE
		for _ in $(seq 200); do
			! grep -qE "^$1\$" "$lab_dir/said" || return 0
			sleep 0.05
		done
		echo "never said: $1"
		cat "$lab_dir/said"
		return 1
	}
	mkfifo "$lab_dir/requests"
	managed timeout 60 "$lab_dir/by_the_page" www.lab.example 9000 <"$lab_dir/requests" >"$lab_dir/said" 3>&- &
	session=$!
	exec {to}>"$lab_dir/requests"
	says 'connected from 10.1.0.2'
	in_client ip addr add 10.2.0.60/24 dev wwan0 valid_lft 4 preferred_lft 1
	says '10.2.0.60: 1 of 4'
	says '10.2.0.60: 0 of [234], over soon'
	lab_event wlan0 carrier-off
	says 'leave wlan0: carrier lost'
	says 'connected from 10.2.0.2'
	says '10.2.0.60: over'
	lab_event wlan0 carrier-on
	post stop
	says stopped
	line=$(wc -l <"$lab_dir/said")
	in_client ip addr add 10.2.0.61/24 dev wwan0 valid_lft 60 preferred_lft 60
	lab_event wwan0 carrier-off
	sleep 0.5
	exec {to}>&-
	wait "$session"
	session=
	[ "$(sed -n 's/^enter //p' "$lab_dir/said" | xargs)" = "wlan0 wwan0" ]
	# Nothing after the stop, and nothing that was not asked for.
	[ "$(wc -l <"$lab_dir/said")" = "$line" ]
	never grep -E 'not asked|: No such|: Invalid' "$lab_dir/said"
}
