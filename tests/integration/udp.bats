#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What speaks datagrams in Debian, through the loss of an interface.

load helper

setup() {
	need_lab
	# An upload is to last until the loss.
	case $BATS_TEST_DESCRIPTION in
	QUIC*) start_lab 5 60 0 ;;
	*) start_lab ;;
	esac
	cat >"$lab_dir/policy.conf" <<-'END'
		stability { spread = 0  damp = 0 }
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100 }
		peer "10.9.0.2:9003/udp" { continuity = auto }
		peer "*/udp" { continuity = redial }
		peer "*" { continuity = none }
	END
}

teardown() {
	stop_lab
}

certificate() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=lab -keyout "$lab_dir/key.pem" -out "$lab_dir/cert.pem" 2>/dev/null
}

moved() { grep -q 'datagrams now over wwan0' "$lab_dir/${1:-client}.log"; }

@test "sockets bound to an address follow where the policy says so; multicast is left alone" {
	local echo="$lab_root/tests/lab/udp_echo.py" connected unconnected left
	lab_spawn server /dev/null python3 "$echo" server 9002
	lab_spawn server /dev/null python3 "$echo" server 9003
	wait_udp 9002
	wait_udp 9003
	covered env MIFCONT_LOG="debug:$lab_dir/connected.log" timeout 40 python3 "$echo" connected 10.9.0.2 9002 10.1.0.2 &
	connected=$!
	covered env MIFCONT_LOG="debug:$lab_dir/unconnected.log" timeout 40 python3 "$echo" unconnected 10.9.0.2 9002 10.1.0.2 &
	unconnected=$!
	covered env MIFCONT_LOG="debug:$lab_dir/left.log" timeout 40 python3 "$echo" connected 10.9.0.2 9003 10.1.0.2 &
	left=$!
	covered env MIFCONT_LOG="debug:$lab_dir/many.log" timeout 40 python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.2.0.2"))
for n in range(30):
    s.sendto(b"x", ("239.1.2.3", 9004))
    time.sleep(0.1)' &
	local many=$!
	sleep 1.5
	lab_event wlan0 down
	wait "$connected"
	wait "$unconnected"
	wait "$many"
	run wait "$left"
	[ "$status" != 0 ]
	moved connected
	moved unconnected
	run cat "$lab_dir/many.log" "$lab_dir/left.log"
	[[ $output != *'datagrams now'* ]]
}

@test "DTLS, by openssl" {
	certificate
	lab_spawn server "$lab_dir/dtls.log" sh -c "sleep 30 | exec openssl s_server -dtls -accept 4433 -key $lab_dir/key.pem -cert $lab_dir/cert.pem"
	wait_udp 4433
	local i
	(sleep 0.5
	for ((i = 1; i <= 25; i++)); do
		echo "line $i"
		sleep 0.1
	done) | covered timeout 20 openssl s_client -dtls -connect 10.9.0.2:4433 >"$lab_dir/out" 2>&1 &
	local pid=$!
	for ((i = 0; i < 100; i++)); do
		grep -q '^line 5' "$lab_dir/dtls.log" && break
		sleep 0.1
	done
	lab_event wlan0 down
	wait "$pid" || :
	moved
	grep -q '^line 25' "$lab_dir/dtls.log"
	[ "$(grep -c '^line' "$lab_dir/dtls.log")" -ge 23 ]
}

@test "QUIC, an upload by ngtcp2's client" {
	command -v gtlsclient >/dev/null && command -v gtlsserver >/dev/null || skip "no ngtcp2-client and ngtcp2-server"
	certificate
	mkdir -p "$lab_dir/www" "$lab_dir/back"
	head -c 15000000 /dev/urandom >"$lab_dir/www/file"
	lab_spawn server "$lab_dir/quic.log" gtlsserver -q -d "$lab_dir/www" 10.9.0.2 4444 "$lab_dir/key.pem" "$lab_dir/cert.pem"
	wait_udp 4444
	# What is sent comes back.
	covered timeout 60 gtlsclient -q --exit-on-all-streams-close --no-quic-dump --no-http-dump -m PUT -d "$lab_dir/www/file" \
		--download="$lab_dir/back" 10.9.0.2 4444 https://10.9.0.2:4444/file >"$lab_dir/out" 2>&1 &
	local pid=$!
	sleep 0.7
	lab_event wlan0 down
	wait "$pid" || :
	moved
	same "$lab_dir/www/file" "$lab_dir/back/file"
}

@test "OpenVPN" {
	command -v openvpn >/dev/null || skip "no openvpn"
	[ -c /dev/net/tun ] || skip "no /dev/net/tun"
	openvpn --genkey secret "$lab_dir/key"
	lab_spawn server "$lab_dir/server.log" openvpn --dev tun --proto udp --port 1194 --ifconfig 10.99.0.1 10.99.0.2 \
		--secret "$lab_dir/key" --float --cipher AES-256-CBC --verb 3
	wait_udp 1194
	covered timeout 40 openvpn --dev tun --proto udp --remote 10.9.0.2 1194 --nobind --ifconfig 10.99.0.2 10.99.0.1 \
		--secret "$lab_dir/key" --cipher AES-256-CBC --ping 1 >"$lab_dir/vpn.log" 2>&1 &
	local pid=$! i
	lab_spawn server "$lab_dir/tunnelled" timeout 40 socat -u UDP-RECV:9005 STDOUT
	for ((i = 0; i < 100; i++)); do
		grep -q 'Initialization Sequence Completed' "$lab_dir/vpn.log" && break
		sleep 0.1
	done
	for ((i = 0; i < 30; i++)); do
		in_client bash -c "echo $i >/dev/udp/10.99.0.1/9005" || :
		[ "$i" != 10 ] || lab_event wlan0 down
		sleep 0.1
	done
	kill "$pid"
	wait "$pid" || :
	moved
	[ "$(wc -l <"$lab_dir/tunnelled")" -ge 25 ]
	grep -q '^29' "$lab_dir/tunnelled"
}
