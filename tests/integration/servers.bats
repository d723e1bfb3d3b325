#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Servers as they are, dialled again without a relay, each under the policy that its protocol needs.

load helper

setup() {
	need_lab
	lab_up 5
	cat >"$lab_dir/policy.conf" <<-'END'
		stability { spread = 0  damp = 0  outage = 500 }
		interface "wlan*" { prefer = 200 }
		interface "wwan*" { prefer = 100 }
		peer "*:11211" {
			continuity = redial
			records = line
			answer-ends = "END STORED NOT DELETED ERROR CLIENT SERVER #"
		}
		peer "*:2525" {
			continuity = redial
			records = line
			opening = recorded
			opening-words = "EHLO HELO"
			binding-words = "AUTH MAIL STARTTLS"
		}
		peer "*:6667" {
			continuity = redial
			replay = line
			sticky = true
			opening {
				send = "NICK again\r\nUSER me 0 * :me\r\n"
				expect = ":* 376 *"
				send = "JOIN #lab\r\n"
				expect = ":* 366 *"
			}
		}
		peer "*" { continuity = none }
	END
}

teardown() {
	stop_lab
}

# A program that reads a line from us before each thing it does, and has said something after it.
begin() { # CMD...
	mkfifo "$lab_dir/go"
	: >"$lab_dir/said"
	covered timeout 60 "$@" <"$lab_dir/go" >"$lab_dir/said" 2>&1 &
	client=$!
	exec 7>"$lab_dir/go"
}

go() { # LINES AFTER IT
	local i
	[ -z "${2:-}" ] || echo >&7
	for ((i = 0; i < 100; i++)); do
		[ "$(wc -l <"$lab_dir/said")" -lt "$1" ] || return 0
		sleep 0.1
	done
	cat "$lab_dir/said"
	return 1
}

# Loses the better path, and gives it back.
one_after_the_other() { # NUMBER
	[ $(($1 % 2)) = 1 ] && lab_event wlan0 up || lab_event wlan0 down
	sleep 0.7
}

@test "memcached: every answer, whichever path was lost before the question" {
	local i
	lab_spawn server "$lab_dir/memcached.log" memcached -u root -l 10.9.0.2 -p 11211
	wait_port 11211
	begin python3 -u -c '
import socket, sys
s = socket.create_connection(("10.9.0.2", 11211))
s.settimeout(20)
def ask(q, end):
    s.sendall(q)
    got = b""
    while not got.endswith(end):
        more = s.recv(70000)
        assert more, "a false end"
        got += more
    return got
print("begun")
for n in range(6):
    sys.stdin.readline()
    value = b"%d\r\nEN " % n * 9000
    assert ask(b"set k 0 0 %d\r\n%s\r\n" % (len(value), value), b"\r\n") == b"STORED\r\n"
    got = ask(b"get k nothing\r\n", b"\r\nEND\r\n")
    assert got == b"VALUE k 0 %d\r\n%s\r\nEND\r\n" % (len(value), value), got[:100]
    if n == 0:
        ask(b"set n 0 0 1\r\n0\r\n", b"STORED\r\n")
    print(ask(b"incr n 1\r\n", b"\r\n").decode().strip())
'
	go 1
	for ((i = 0; i < 6; i++)); do
		go $((i + 2)) next
		one_after_the_other "$i"
	done
	exec 7>&-
	wait "$client"
	[ "$(cat "$lab_dir/said")" = "begun
$(seq 6)" ]
	[ "$(handovers)" -ge 3 ]
}

@test "lines that are lost in the middle of an answer are not waited for" {
	lab_spawn server "$lab_dir/half.log" timeout 60 python3 -u -c '
import socket, threading, time
def serve(c):
    for line in c.makefile("rb"):
        c.sendall(b"VALUE a 0 5\r\nhello\r\n")
        time.sleep(2)
        c.sendall(b"END\r\n")
s = socket.create_server(("", 11211))
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()'
	wait_port 11211
	begin python3 -u -c '
import socket
s = socket.create_connection(("10.9.0.2", 11211))
s.settimeout(20)
s.sendall(b"get a\r\n")
got = b""
while not got.endswith(b"hello\r\n"):
    got += s.recv(1)
print("half")
try:
    print(s.recv(100))
except ConnectionResetError:
    print("reset")
'
	go 1
	[ "$(in_client "$lab_build/mifcont" status --json | jq -r '.[].flows[].handover')" = 'ECONNRESET: an answer is not over' ]
	lab_event wlan0 down
	go 2
	exec 7>&-
	wait "$client"
	[ "$(cat "$lab_dir/said")" = "half
reset" ]
}

@test "aiosmtpd: between the greeting and the mail, and not in it" {
	local i
	lab_spawn server "$lab_dir/mail.log" aiosmtpd -n -l 10.9.0.2:2525 -c aiosmtpd.handlers.Mailbox "$lab_dir/mailbox"
	wait_port 2525
	begin python3 -u -c '
import smtplib, sys
s = smtplib.SMTP("10.9.0.2", 2525, timeout=20)
s.ehlo("me.example")
print("begun")
for n in range(3):
    sys.stdin.readline()
    print(s.noop()[0])
sys.stdin.readline()
s.sendmail("me@lab.example", ["you@lab.example"], "Subject: once\r\n\r\n" + "a line of it\r\n" * 1000)
print("sent")
s.mail("me@lab.example")
print("mail")
sys.stdin.readline()
try:
    print(s.rcpt("you@lab.example"))
except smtplib.SMTPServerDisconnected as e:
    print("error")
'
	go 1
	for ((i = 0; i < 3; i++)); do
		one_after_the_other "$i"
		go $((i + 2)) next
	done
	one_after_the_other 3
	go 6 next
	lab_event wlan0 down
	sleep 1
	go 7 next
	exec 7>&-
	wait "$client"
	[ "$(tr '\n' ' ' <"$lab_dir/said")" = 'begun 250 250 250 sent mail error ' ]
	[ "$(handovers)" -ge 2 ]
	[ "$(find "$lab_dir/mailbox/new" -type f | wc -l)" = 1 ]
	[ "$(grep -c 'a line of it' "$lab_dir"/mailbox/new/*)" = 1000 ]
}

@test "ngircd: ii goes on in its channel" {
	[ "$(awk '{ n += $3 } END { printf "%.0f", n }' /proc/self/uid_map)" -gt 65534 ] || skip "ngircd will not be root, and there is no other user"
	local i
	grep -q '^ *0 *0 *4294967295' /proc/self/uid_map || skip "ngircd becomes another user: it needs real root"
	cat >"$lab_dir/ngircd.conf" <<-'END'
		[Global]
		Name = irc.lab.example
		Info = lab
		Listen = 10.9.0.2
		Ports = 6667
		MotdPhrase = hello
		[Options]
		PAM = no
		Ident = no
		DNS = no
	END
	lab_spawn server "$lab_dir/ngircd.log" ngircd -n -f "$lab_dir/ngircd.conf"
	wait_port 6667
	# One that stays, and hears what is said.
	in_server timeout 60 python3 -u -c '
import socket
s = socket.create_connection(("10.9.0.2", 6667))
s.sendall(b"NICK ear\r\nUSER ear 0 * :ear\r\nJOIN #lab\r\n")
for line in s.makefile("rb"):
    words = line.decode().strip().split(" ", 3)
    if words[0] == "PING":
        s.sendall(b"PONG " + words[1].encode() + b"\r\n")
    elif words[1] == "PRIVMSG":
        print(words[3][1:])
    elif words[1] == "366":
        print("here")' >"$lab_dir/said" 3>&- &
	echo $! >>"$lab_dir/pids"
	go 1
	covered timeout 60 ii -s 10.9.0.2 -p 6667 -n first -i "$lab_dir/irc" >/dev/null 2>&1 &
	client=$!
	for ((i = 0; i < 100; i++)); do
		[ ! -p "$lab_dir/irc/10.9.0.2/in" ] || break
		sleep 0.1
	done
	sleep 0.5
	echo "/j #lab" >"$lab_dir/irc/10.9.0.2/in"
	for ((i = 0; i < 100; i++)); do
		[ ! -p "$lab_dir/irc/10.9.0.2/#lab/in" ] || break
		sleep 0.1
	done
	sleep 0.5
	for ((i = 0; i < 12; i++)); do
		echo "line $i" >"$lab_dir/irc/10.9.0.2/#lab/in"
		[ "$i" != 4 ] || lab_event wlan0 down
		sleep 0.1
	done
	for ((i = 0; i < 150; i++)); do
		! grep -qx 'line 11' "$lab_dir/said" || break
		sleep 0.1
	done
	kill "$client"
	cat "$lab_dir/said"
	[ "$(awk '!seen[$0]++' "$lab_dir/said")" = "here
$(seq -f 'line %g' 0 11)" ]
	[ "$(handovers)" = 1 ]
}
