#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# resolve = path: an unmodified program is told what a name means in the network by which it would connect.

source "$BATS_TEST_DIRNAME/helper.bash"

setup() {
	need_lab
	for tool in python3 getent mount; do
		command -v $tool >/dev/null || skip "$tool is missing"
	done
	lab_up
	mkdir -p "$lab_dir/run/systemd/netif/links" "$lab_dir/empty"
	echo "nameserver 10.9.0.2" >"$lab_dir/resolv.conf"
	cat >"$lab_dir/managed" <<-END
		exec unshare -m sh -c 'mount --bind "$lab_dir/run" /run && mount --bind "$lab_dir/resolv.conf" /etc/resolv.conf &&
			mount --bind "$lab_dir/empty" /var/lib/dhcp 2>/dev/null; exec "\$@"' - "\$@"
	END
	cat >"$lab_dir/policy.conf" <<-'END'
		peer "*.lab.example:443" { continuity = auto }
		peer "*.lab.example" { continuity = auto  resolve = path }
		peer "www" { continuity = auto  resolve = path }
		peer "*" { continuity = auto }
	END
	[ -z "${BATS_TEST_DESCRIPTION##a connection*}" ] || name_servers
	echo DNS=10.1.0.1 >"$lab_dir/run/systemd/netif/links/$(index wlan0)"
	echo DOMAINS=lab.example >>"$lab_dir/run/systemd/netif/links/$(index wlan0)"
	echo DNS=10.2.0.1 >"$lab_dir/run/systemd/netif/links/$(index wwan0)"
}

name_servers() {
	names server 10.9.0.2 host.lab.example=192.0.2.9 www.lab.example=192.0.2.9 www.other.example=192.0.2.9
	names router 10.1.0.1 www.lab.example=192.0.2.1 www.lab.example=2001:db8::1 www.other.example=192.0.2.1
	names router 10.2.0.1 www.lab.example=192.0.2.2
}

teardown() {
	lab_down
}

names() { # WHERE ADDRESS NAME=ADDRESS...
	local i where=$1
	shift
	lab_spawn "$where" "$lab_dir/dns-$1" python3 "$lab_root/tests/lab/dns.py" "$@"
	for ((i = 0; i < 100; i++)); do
		! ip netns exec "$lab-${where:0:1}" ss -Hlun "src $1:53" | grep -q . || return 0
		sleep 0.05
	done
	echo "no name server at $1"
	return 1
}

index() { in_client cat "/sys/class/net/$1/ifindex"; }

under() {
	in_client env MIFCONT_LIBRARY="$lab_build/libmifcont.so" bash "$lab_dir/managed" \
		env LD_PRELOAD="$lab_build/libmifcont.so" MIFCONT_POLICY="$lab_dir/policy.conf" \
		MIFCONT_LOG="debug:$lab_dir/client.log" "$@"
}

until_said() {
	local i
	for ((i = 0; i < 200; i++)); do
		! grep -qx "$1" "$lab_dir/server.log" || return 0
		sleep 0.05
	done
	cat "$lab_dir/server.log" "$lab_dir/program.log"
	tail -n 30 "$lab_dir/client.log"
	return 1
}

# What a program is told: by getaddrinfo, addresses in order.
ask() { # NAME [PORT [TYPE]]
	under python3 - "$@" <<-'END'
		import socket, sys
		port = sys.argv[2] if len(sys.argv) > 2 else None
		try:
		    found = socket.getaddrinfo(sys.argv[1], port, type=socket.SOCK_STREAM)
		    print(*sorted({i[4][0] for i in found}))
		    assert all(i[4][1] == int(port or 0) for i in found)
		except socket.gaierror as e:
		    print(e.errno)
	END
}

@test "what the network of the path says, and what no policy names as ever" {
	[ "$(ask www.lab.example)" = "192.0.2.1 2001:db8::1" ]
	[ "$(ask www.lab.example 80)" = "192.0.2.1 2001:db8::1" ]
	[ "$(ask www.lab.example 443)" = "192.0.2.9" ]
	[ "$(ask www.other.example)" = "192.0.2.9" ]
	[ "$(ask www)" = "192.0.2.1 2001:db8::1" ]
	[ "$(ask 192.0.2.77)" = "192.0.2.77" ]
	[ "$(ask localhost)" = "$(in_client python3 -c 'import socket; print(*sorted({i[4][0] for i in socket.getaddrinfo("localhost", None)}))')" ]
	# The network does not know it: that is an answer, too.
	[ "$(ask host.lab.example)" = -2 ]
	never grep -q host.lab "$lab_dir/dns-10.9.0.2"
	# The other way out.
	in_client ip route replace default via 10.2.0.1 dev wwan0 metric 50
	[ "$(ask www.lab.example)" = "192.0.2.2" ]
}

@test "by the older calls, too" {
	[ "$(under getent ahostsv4 www.lab.example | awk '{ print $1 }' | sort -u | xargs)" = 192.0.2.1 ]
	[ "$(under getent hosts www.lab.example | awk '{ print $1 }' | xargs)" = 2001:db8::1 ]
	[ "$(under python3 -c 'import socket; print(*socket.gethostbyname_ex("www.lab.example"))')" = \
		"www.lab.example [] ['192.0.2.1']" ]
	run under getent hosts host.lab.example
	[ "$status" -eq 2 ]
	# Straight to the C library's functions, with a buffer that is too small first.
	under python3 - <<-'END'
		import ctypes, socket
		libc = ctypes.CDLL(None)
		class Hostent(ctypes.Structure):
		    _fields_ = [("name", ctypes.c_char_p), ("aliases", ctypes.POINTER(ctypes.c_char_p)), ("family", ctypes.c_int),
		                ("length", ctypes.c_int), ("list", ctypes.POINTER(ctypes.c_void_p))]
		h, result, err = Hostent(), ctypes.POINTER(Hostent)(), ctypes.c_int()
		for size, wanted in (8, 34), (40, 34), (1024, 0):
		    buf = ctypes.create_string_buffer(size)
		    r = libc.gethostbyname_r(b"www.lab.example", ctypes.byref(h), buf, ctypes.c_size_t(size), ctypes.byref(result), ctypes.byref(err))
		    assert r == wanted, (size, r)
		assert h.name == b"www.lab.example" and h.length == 4 and not h.list[1]
		assert socket.inet_ntoa(ctypes.string_at(h.list[0], 4)) == "192.0.2.1"
		libc.gethostbyname.restype = ctypes.POINTER(Hostent)
		p = libc.gethostbyname(b"www.lab.example")
		assert socket.inet_ntoa(ctypes.string_at(p.contents.list[0], 4)) == "192.0.2.1"
		assert not libc.gethostbyname(b"host.lab.example")
	END
}

@test "nobody is known there: the C library is asked" {
	rm "$lab_dir/run/systemd/netif/links/"*
	[ "$(ask www.lab.example)" = 192.0.2.9 ]
	[ "$(under getent ahostsv4 www.lab.example | awk '{ print $1 }' | sort -u | xargs)" = 192.0.2.9 ]
}

@test "nobody answers there: an end as soon as libc's, and the program's descriptors are as before" {
	echo DNS=10.1.0.99 >"$lab_dir/run/systemd/netif/links/$(index wlan0)"
	under timeout 20 python3 - <<-'END'
		import os, socket, time
		before = os.listdir("/proc/self/fd")
		begun = time.monotonic()
		try:
		    socket.getaddrinfo("www.lab.example", 80)
		    raise SystemExit("answered")
		except socket.gaierror as e:
		    assert e.errno == socket.EAI_AGAIN, e
		# libc waits for 5 s, twice; this is about the order, not about the time.
		assert time.monotonic() - begun < 10
		assert os.listdir("/proc/self/fd") == before
	END
}

@test "a connection that is dialled again goes where its name leads in the other network" {
	ip -n "$lab-s" addr add 10.9.0.3/24 dev eth0
	lab_spawn server "$lab_dir/server.log" python3 "$lab_root/tests/lab/lines.py" 9100
	lab_wait_port server 9100
	cat >"$lab_dir/policy.conf" <<-'END'
		stability { spread = 0  damp = 0 }
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100 }
		peer "*.lab.example" { continuity = redial  replay = line  resolve = path }
	END
	names router 10.1.0.1 log.lab.example=10.9.0.2
	names router 10.2.0.1 log.lab.example=10.9.0.3
	under timeout 60 python3 - "$lab_dir/lost" >"$lab_dir/program.log" 2>&1 3>&- <<-'END' &
		import os, socket, sys, time
		s = socket.create_connection(("log.lab.example", 9100))
		s.sendall(b"one\n")
		while not os.path.exists(sys.argv[1]):
		    time.sleep(0.05)
		s.sendall(b"two\n")
		time.sleep(20)
	END
	program=$!
	until_said "10.9.0.2 one"
	lab_event wlan0 down
	touch "$lab_dir/lost"
	until_said "10.9.0.3 two"
	never grep -q "10.9.0.2 two" "$lab_dir/server.log"
	kill "$program"
}
