#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Servers nobody can touch, and no policy for them: what is recognised by its first bytes ends in time.

load helper

setup() {
	need_lab
	start_lab 5 40 0
	cat >"$lab_dir/policy.conf" <<-'END'
		stability { spread = 0  damp = 0  outage = 1500  gone = 60000 }
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100 }
		peer "*" { continuity = auto }
	END
}

teardown() {
	stop_lab
}

serve_tls() {
	mkdir -p "$lab_dir/www"
	head -c 8000000 /dev/urandom >"$lab_dir/www/file"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=lab -keyout "$lab_dir/key.pem" -out "$lab_dir/cert.pem" 2>/dev/null
	lab_spawn server "$lab_dir/tls.log" python3 "$lab_root/tests/lab/tls_server.py" 8443 "$lab_dir/www" "$lab_dir/cert.pem" "$lab_dir/key.pem"
	wait_port 8443
}

@test "TLS: a short outage is waited out, a lost path is told to who tries again" {
	serve_tls
	local pid
	covered curl -sSk --max-time 60 -o "$lab_dir/out" https://10.9.0.2:8443/file &
	pid=$!
	sleep 0.8
	lab_event wlan0 down
	sleep 0.4
	lab_event wlan0 up
	wait "$pid"
	same "$lab_dir/www/file" "$lab_dir/out"
	run grep -E 'reset: path lost|: on w' "$lab_dir/client.log"
	[ "$status" = 1 ]

	covered curl -sSk --max-time 100 --retry 3 --retry-delay 1 --retry-all-errors -o "$lab_dir/again" https://10.9.0.2:8443/file \
		2>"$lab_dir/curl.err" &
	pid=$!
	sleep 0.8
	lab_event wlan0 down
	wait "$pid"
	same "$lab_dir/www/file" "$lab_dir/again"
	grep -q 'reset: path lost' "$lab_dir/client.log"
	run grep ': on w' "$lab_dir/client.log"
	[ "$status" = 1 ]
}

@test "HTTP goes on" {
	serve_file 12
	touch -d "1 hour ago" "$lab_dir/www/file"
	covered curl -sS --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	local pid=$!
	sleep 0.8
	lab_event wlan0 down
	wait "$pid"
	same "$lab_dir/www/file" "$lab_dir/out"
	[ "$(handovers)" -ge 1 ]
}

@test "ssh in a loop connects anew; what is unknown is left alone" {
	grep -q '^ *0 *0 *4294967295' /proc/self/uid_map || skip "sshd separates privileges: it needs real root"
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$lab_dir/host"
	ssh-keygen -q -t ed25519 -N '' -f "$lab_dir/user"
	chmod 755 "$lab_dir"
	printf '%s\n' "HostKey $lab_dir/host" "AuthorizedKeysFile $lab_dir/user.pub" 'StrictModes no' 'PermitRootLogin yes' \
		'UsePAM no' 'PidFile none' >"$lab_dir/sshd.conf"
	printf '%s\n' "IdentityFile $lab_dir/user" 'StrictHostKeyChecking no' 'UserKnownHostsFile /dev/null' 'LogLevel ERROR' \
		'User root' >"$lab_dir/ssh.conf"
	lab_spawn server "$lab_dir/sshd.log" /usr/sbin/sshd -D -e -p 22 -f "$lab_dir/sshd.conf"
	lab_spawn server "$lab_dir/unknown.log" timeout 60 python3 "$lab_root/tests/lab/records.py" serve 9100 line
	wait_port 22
	wait_port 9100
	covered timeout 30 python3 "$lab_root/tests/lab/records.py" send 10.9.0.2 9100 line 100 50 2>"$lab_dir/unknown.err" &
	local unknown=$! i
	(for i in 1 2 3; do
		covered ssh -F "$lab_dir/ssh.conf" 10.9.0.2 'i=0; while [ $i -lt 25 ]; do echo tick $i; i=$((i+1)); sleep 0.1; done' && exit 0
	done
	exit 1) >"$lab_dir/ticks" &
	local loop=$!
	for ((i = 0; i < 100; i++)); do
		grep -q 'tick 5' "$lab_dir/ticks" && break
		sleep 0.1
	done
	in_client "$lab_build/mifcont" status --json | jq -r '.[].flows[] | "\(.covered) \(.means): \(.handover)"' | sort >"$lab_dir/prospects"
	cat "$lab_dir/prospects"
	grep -qx 'false SSH: ECONNRESET after 1500 ms, if it waits for something' "$lab_dir/prospects"
	grep -qx 'false none: left to TCP' "$lab_dir/prospects"
	lab_event wlan0 down
	wait "$loop"
	grep -q 'reset: path lost' "$lab_dir/client.log"
	[ "$(tail -n 1 "$lab_dir/ticks")" = 'tick 24' ]
	# Neither moved nor reset.
	kill -0 "$unknown"
	[ "$(grep -c 'reset: path lost' "$lab_dir/client.log")" = 1 ]
	lab_event wlan0 up
	wait "$unknown"
	for ((i = 0; i < 150; i++)); do
		grep -qx 99 "$lab_dir/unknown.log" && break
		sleep 0.1
	done
	[ "$(sort -nu "$lab_dir/unknown.log")" = "$(seq 0 99)" ]
}
