#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# mifcont doctor: what it says of machines and programs.

load helper

setup() {
	need_lab
	lab_up
	export MIFCONT_POLICY="$lab_dir/policy.conf"
	echo 'peer "*" { continuity = auto }' >"$MIFCONT_POLICY"
}

teardown() {
	lab_down
}

doctor() {
	run in_client "$lab_build/mifcont" doctor "$@"
}

said() { # VERDICT CHECK TEXT
	grep -qE "^$1 +$2 +.*$3" <<<"$output" || { echo "$output"; return 1; }
}

@test "a machine with two uplinks" {
	doctor
	[ "$status" = 0 ]
	said ok uplink 'wlan0 .* from 10.1.0.2, metric 100'
	said ok uplink 'wwan0 .* from fd00:2::2'
	said ok loopback works
	said ok policy "$MIFCONT_POLICY"
	[ "$(grep -c 'nothing to move to' <<<"$output")" = 0 ]
}

@test "a machine with one uplink, and with none" {
	lab_event wwan0 down
	doctor
	[ "$status" = 0 ]
	said warn uplink 'nothing to move to'
	lab_event wlan0 down
	doctor
	said warn uplink 'no interface has a default route'
}

@test "strict reverse path filters" {
	doctor
	[ "$(grep -c rp_filter <<<"$output")" = 0 ]
	in_client sysctl -qw net.ipv4.conf.wlan0.rp_filter=1
	doctor
	said warn rp_filter 'strict on 1 uplinks'
}

@test "no loopback" {
	in_client ip link set lo down
	doctor
	said warn loopback 'no TCP'
}

@test "a sandbox without netlink" {
	run in_client "$lab_build/lab/forbid" netlink "$lab_build/mifcont" doctor
	[ "$status" = 1 ]
	said fail netlink 'Operation not permitted'
	said warn seccomp filter
	grep -q 'cannot be helped' <<<"$output"
}

@test "a wrong policy" {
	echo 'peer "*" { continuity = magic }' >"$MIFCONT_POLICY"
	doctor
	[ "$status" = 1 ]
	said fail policy 'policy.conf:1: .*magic'
}

@test "relays: one that is there, one with another key, one that is no relay, one that is not there" {
	lab_spawn server "$lab_dir/relay.log" "$lab_build/mifcont-relay" --state-dir "$lab_dir/state" --allow 22
	lab_wait_port server 7343
	# One that says nothing, whatever it hears: a web server answers to a line, and random bytes may hold one.
	lab_spawn server "$lab_dir/mute.log" python3 -c '
import socket
s, held = socket.create_server(("", 8080)), []
while True:
    held.append(s.accept())'
	lab_wait_port server 8080
	cat >"$MIFCONT_POLICY" <<-'END'
		peer "*:1" { continuity = session relay = "10.9.0.2:7343" }
		peer "*:2" { continuity = session relay = "10.9.0.2:7343" relay-key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" }
		peer "*:3" { continuity = session relay = "10.9.0.2:8080" }
		peer "*:4" { continuity = session relay = "10.9.0.2:9" }
	END
	doctor
	[ "$status" = 1 ]
	said ok relay '10.9.0.2:7343 answers; its key is not known here yet'
	said fail relay '10.9.0.2:7343 has another key than the policy says'
	said fail relay '10.9.0.2:8080 took the connection, but does not answer'
	said fail relay '10.9.0.2:9 is not reached: Connection refused'
	mkdir -p "$XDG_STATE_HOME/mifcont"
	echo "10.9.0.2:7343 BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=" >"$XDG_STATE_HOME/mifcont/relays"
	doctor
	said fail relay '10.9.0.2:7343 has another key than before'
}

@test "programs: dynamic, static, Go, set-user-ID, a script, none" {
	doctor ls
	[ "$status" = 0 ]
	said ok program 'can be preloaded'

	echo 'int main(void) { return 0; }' >"$lab_dir/x.c"
	cc -static -o "$lab_dir/static" "$lab_dir/x.c"
	doctor "$lab_dir/static"
	[ "$status" = 1 ]
	said fail program 'statically linked'

	cat >"$lab_dir/go.c" <<-'END'
		__attribute__((section(".note.go.buildid"), used)) static const char id[] = "\4\0\0\0\4\0\0\0\4\0\0\0Go\0\0abc";
		int main(void) { return 0; }
	END
	cc -o "$lab_dir/go" "$lab_dir/go.c"
	doctor "$lab_dir/go"
	[ "$status" = 1 ]
	said fail program 'Go program'

	printf '#!%s\n' "$lab_dir/static" >"$lab_dir/script"
	chmod +x "$lab_dir/script"
	doctor "$lab_dir/script"
	[ "$status" = 1 ]
	said fail program "script .$lab_dir/static. is statically linked"

	doctor no-such-program
	[ "$status" = 1 ]
	said fail program 'no such program'
}

@test "a set-user-ID program" {
	cp "$(command -v ls)" "$lab_dir/suid"
	chown 65534 "$lab_dir/suid" 2>/dev/null || skip "no second user here"
	chmod u+s "$lab_dir/suid"
	doctor "$lab_dir/suid"
	[ "$status" = 1 ]
	said fail program 'set-user-ID'
}

@test "a program that knows io_uring" {
	echo 'const char *name(void) { return "io_uring_setup"; } int main(void) { return !*name(); }' >"$lab_dir/x.c"
	cc -o "$lab_dir/ring" "$lab_dir/x.c"
	doctor "$lab_dir/ring"
	[ "$status" = 0 ]
	said warn io_uring ring
}

@test "running processes, as JSON, too" {
	local pid
	lab_spawn client "$lab_dir/sleep.log" env LD_PRELOAD="$lab_build/libmifcont.so" sleep 20
	pid=$lab_pid
	sleep 0.3
	doctor --pid "$pid"
	[ "$status" = 0 ]
	said ok library "loaded in process $pid"
	doctor --json --pid "$pid"
	[ "$(jq -r '.[] | select(.check == "library") | .verdict' <<<"$output")" = ok ]
	lab_spawn client "$lab_dir/sleep.log" sleep 20
	pid=$lab_pid
	sleep 0.3
	doctor --pid "$pid"
	[ "$status" = 1 ]
	said fail library 'not loaded'
}

@test "wrong usage" {
	doctor --pid x
	[ "$status" = 2 ]
	doctor --nonsense
	[ "$status" = 2 ]
}
