#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Programs that pass their connections on to others: shells, inetd's way, ssh with its helpers.

load helper

setup() {
	need_lab
	start_lab 5 100 0
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
}

teardown() {
	stop_lab
}

# Through losses and returns, to a good end.
goes_through() { # CMD...
	covered timeout 60 "$@" &
	local pid=$!
	sleep 0.7
	flap "$pid" 4 300 600
	wait "$pid"
	[ "$(handovers)" -ge 1 ]
}

@test "bash's /dev/tcp, read and written by children" {
	head -c 3000000 /dev/urandom | base64 -w 99 >"$lab_dir/in"
	cat >"$lab_dir/script" <<-'END'
		exec 3<>/dev/tcp/10.9.0.2/9000
		cat <&3 >"$2" &
		child=$!
		for i in 1 2 3 4 5 6 7 8 9 10; do
			head -c 410000 <&4 >&3
			sleep 0.3
		done 4<"$1"
		want=$(stat -c %s "$1")
		for i in $(seq 100); do
			[ "$(stat -c %s "$2")" -lt "$want" ] || break
			sleep 0.1
		done
		kill $child
		wait
		exit 0
	END
	goes_through bash "$lab_dir/script" "$lab_dir/in" "$lab_dir/out"
	same "$lab_dir/in" "$lab_dir/out"
}

@test "python's subprocess with the socket as standard input and output" {
	cat >"$lab_dir/child" <<-'END'
		for i in 1 2 3 4 5 6 7 8 9 10; do
			echo hello $i
			read -r a b || exit 1
			[ "$a $b" = "hello $i" ] || exit 1
			sleep 0.05
		done
	END
	cat >"$lab_dir/parent.py" <<-'END'
		import socket, subprocess, sys
		s = socket.create_connection(("10.9.0.2", 9000))
		for i in range(6):
		    subprocess.run(["sh", sys.argv[1]], stdin=s.fileno(), stdout=s.fileno(), check=True)
		    s.sendall(b"x" * 100000)
		    n = 0
		    while n < 100000:
		        d = s.recv(65536)
		        assert d and not d.strip(b"x"), d
		        n += len(d)
		s.shutdown(socket.SHUT_WR)
		assert s.recv(1) == b""
	END
	goes_through python3 "$lab_dir/parent.py" "$lab_dir/child"
}

@test "python's os.system, with quotes, pipes and a program of its own" {
	cat >"$lab_dir/parent.py" <<-'END'
		import os, socket
		s = socket.create_connection(("10.9.0.2", 9000))
		s.set_inheritable(True)
		f = s.makefile("rb")
		for i in range(40):
		    n = s.fileno()
		    assert os.system(f"echo \"it's \"'{i}' | tr a-z A-Z >&{n}") == 0
		    assert f.readline() == b"IT'S %d\n" % i
		    assert os.system(f"exec head -c 5000 /dev/zero >&{n}") == 0
		    assert f.read(5000) == bytes(5000)
		    s.sendall(b"and\n")
		    assert f.readline() == b"and\n"
		    assert os.system("exec false") == 256
		    assert os.environ.get("MIFCONT_KIN") is None
		    assert os.system('[ -z "$MIFCONT_KIN" ]') == 0
		s.shutdown(socket.SHUT_WR)
		assert f.read() == b""
	END
	goes_through python3 "$lab_dir/parent.py"
}

@test "socat EXEC" {
	cat >"$lab_dir/program.py" <<-'END'
		import sys, time
		for i in range(60):
		    print("hello", i, flush=True)
		    line = sys.stdin.readline()
		    assert line == "hello %d\n" % i, line
		    time.sleep(0.05)
		open(sys.argv[1], "w").close()
	END
	goes_through socat TCP:10.9.0.2:9000 "EXEC:python3 $lab_dir/program.py $lab_dir/done,nofork"
	[ -e "$lab_dir/done" ]
}

@test "perl: a child writes, the parent reads" {
	cat >"$lab_dir/two.pl" <<-'END'
		use IO::Socket::INET;
		my $s = IO::Socket::INET->new(PeerAddr => "10.9.0.2", PeerPort => 9000, Proto => "tcp") or die;
		$s->autoflush(1);
		my $pid = fork();
		if (!$pid) {
			for my $i (1 .. 60) { print $s "line $i\n"; select(undef, undef, undef, 0.05); }
			shutdown($s, 1);
			exit 0;
		}
		for my $i (1 .. 60) { my $l = <$s>; die "got $l" unless $l eq "line $i\n"; }
		waitpid($pid, 0);
		die "child" if $?;
		my $l = <$s>;
		die "more" if defined $l;
	END
	goes_through perl "$lab_dir/two.pl"
}

# --- ssh ---

need_sshd() {
	command -v /usr/sbin/sshd >/dev/null || skip "no sshd"
	grep -q '^ *0 *0 *4294967295' /proc/self/uid_map || skip "sshd separates privileges: it needs real root"
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$lab_dir/host"
	ssh-keygen -q -t ed25519 -N '' -f "$lab_dir/user"
	cat >"$lab_dir/sshd.conf" <<-END
		HostKey $lab_dir/host
		AuthorizedKeysFile $lab_dir/user.pub
		StrictModes no
		PermitRootLogin yes
		UsePAM no
		PidFile none
	END
	lab_spawn server "$lab_dir/sshd.log" /usr/sbin/sshd -D -e -f "$lab_dir/sshd.conf"
	wait_port 22
	cat >"$lab_dir/ssh.conf" <<-END
		IdentityFile $lab_dir/user
		StrictHostKeyChecking no
		UserKnownHostsFile /dev/null
		LogLevel ERROR
		User root
	END
}

numbers='for i in $(seq 80); do echo $i; sleep 0.05; done'

@test "ssh by a ProxyCommand" {
	need_sshd
	goes_through ssh -F "$lab_dir/ssh.conf" -o ProxyCommand='nc %h %p' 10.9.0.2 "$numbers" >"$lab_dir/out"
	seq 80 | cmp - "$lab_dir/out"
}

@test "ssh by a ProxyCommand that passes its connection on" {
	need_sshd
	cat >"$lab_dir/pass.py" <<-'END'
		import socket, sys
		s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
		socket.send_fds(socket.socket(fileno=1), [b"x"], [s.fileno()])
	END
	goes_through ssh -F "$lab_dir/ssh.conf" -o ProxyUseFdpass=yes \
		-o ProxyCommand="python3 $lab_dir/pass.py %h %p" 10.9.0.2 "$numbers" >"$lab_dir/out"
	seq 80 | cmp - "$lab_dir/out"
}

@test "ssh in the background, and others through its connection" {
	need_sshd
	covered timeout 30 ssh -F "$lab_dir/ssh.conf" -o ControlMaster=yes -o ControlPersist=20 \
		-o ControlPath="$lab_dir/control" -fN 10.9.0.2
	goes_through ssh -F "$lab_dir/ssh.conf" -o ControlPath="$lab_dir/control" 10.9.0.2 "$numbers" >"$lab_dir/out"
	seq 80 | cmp - "$lab_dir/out"
	in_client ssh -F "$lab_dir/ssh.conf" -o ControlPath="$lab_dir/control" -O exit 10.9.0.2
}
