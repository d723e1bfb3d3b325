#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Life around the library: other allocators and preloads, sandboxes, small limits, everything closed, no /proc,
# /etc/ld.so.preload. It helps where it can, else it is as if it were not there.

load helper

setup() {
	need_lab
	start_lab 5 100 0
}

teardown() {
	stop_lab
}

preloaded() { # LD_PRELOAD CMD...
	local value=$1
	shift
	in_client env LD_PRELOAD="$value" MIFCONT_POLICY="$lab_dir/policy.conf" MIFCONT_LOG="debug:$lab_dir/client.log" "$@"
}

# A download through a loss and a return.
download() { # LD_PRELOAD [WRAPPER...]
	local value=$1 pid
	shift
	[ -e "$lab_dir/www/file" ] || serve_file 20
	rm -f "$lab_dir/out"
	in_client "$@" env LD_PRELOAD="$value" MIFCONT_POLICY="$lab_dir/policy.conf" \
		MIFCONT_LOG="debug:$lab_dir/client.log" \
		curl -sS --max-time 60 -o "$lab_dir/out" http://10.9.0.2:8080/file &
	pid=$!
	sleep 0.6
	flap "$pid" 2 400 600
	wait "$pid"
	same "$lab_dir/www/file" "$lab_dir/out"
}

library() { # NAME: the path of an installed one
	find /usr/lib -name "$1" | head -n 1
}

@test "other allocators" {
	local so
	for so in libjemalloc.so.2 libtcmalloc_minimal.so.4; do
		[ -n "$(library "$so")" ]
		: >"$lab_dir/client.log"
		download "$(library "$so"):$lab_build/libmifcont.so"
		[ "$(handovers)" -ge 1 ]
		: >"$lab_dir/client.log"
		download "$lab_build/libmifcont.so:$(library "$so")"
		[ "$(handovers)" -ge 1 ]
	done
}

@test "other preloaded libraries, before and after" {
	local other order
	other=$(library 'libfaketime.so.1')
	[ -n "$other" ]
	for order in "$other:$lab_build/libmifcont.so" "$lab_build/libmifcont.so:$other"; do
		: >"$lab_dir/client.log"
		download "$order"
		[ "$(handovers)" -ge 1 ]
	done
	other=$(library 'libsocket_wrapper.so*')
	[ -n "$other" ]
	: >"$lab_dir/client.log"
	download "$lab_build/libmifcont.so:$other"
	[ "$(handovers)" -ge 1 ]
	# It calls libc by itself, past whatever comes behind it: nothing is ours then, and nothing breaks.
	serve_one
	run preloaded "$other:$lab_build/libmifcont.so" curl -sS --max-time 20 -o "$lab_dir/out" http://10.9.0.2:8080/file
	[ "$status" = 0 ]
	same "$lab_dir/www/file" "$lab_dir/out"
}

# What the library calls itself is its own, not another's of that name.
@test "a library before ours sees no call that it would not see without ours" {
	cat >"$lab_dir/before.c" <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <sys/socket.h>
		#include <unistd.h>
		int connect(int fd, const struct sockaddr *a, socklen_t n)
		{
			int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
			return write(2, "seen\n", 5) == 5 ? next(fd, a, n) : -1;
		}
	END
	gcc -shared -fPIC -o "$lab_dir/before.so" "$lab_dir/before.c" -ldl
	local by_number='import ctypes, socket
s = socket.socket()
a = socket.AF_INET.to_bytes(2, "little") + (9000).to_bytes(2, "big") + socket.inet_aton("10.9.0.2") + bytes(8)
assert ctypes.CDLL(None).syscall(42, s.fileno(), a, 16) == 0
s.sendall(b"hello\n")
assert s.recv(6) == b"hello\n"'
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
	run preloaded "$lab_dir/before.so:$lab_build/libmifcont.so" python3 -c "$by_number"
	echo "$output"
	[ "$status" = 0 ]
	[ -z "$output" ]
	grep -q 'session open' "$lab_dir/client.log"
}

@test "an offset that sendfile cannot read or write is an error, not the end" {
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
	cat >"$lab_dir/offsets.py" <<-'END'
		import ctypes, errno, mmap, os, socket, tempfile
		libc = ctypes.CDLL(None, use_errno=True)
		libc.mmap.restype = ctypes.c_void_p
		nothing, read_only = (libc.mmap(None, 4096, p, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0) for p in (0, 1))
		with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as other:
		    file.write(b"hello\n"); file.flush()
		    s = socket.create_connection(("10.9.0.2", 9000))
		    s.sendall(b"x\n"); s.recv(2)
		    for out in other.fileno(), s.fileno():
		        for at in nothing, read_only:
		            for call in libc.sendfile, libc.sendfile64:
		                print(call(out, file.fileno(), ctypes.c_void_p(at), 6), errno.errorcode[ctypes.get_errno()])
	END
	in_client python3 "$lab_dir/offsets.py" >"$lab_dir/bare"
	preloaded "$lab_build/libmifcont.so" python3 "$lab_dir/offsets.py" >"$lab_dir/with"
	grep -q 'session open' "$lab_dir/client.log"
	[ "$(wc -l <"$lab_dir/bare")" = 8 ]
	diff "$lab_dir/bare" "$lab_dir/with"
}

@test "torsocks, which wants every connection for itself, keeps it" {
	local tor
	tor=$(library 'libtorsocks.so')
	[ -n "$tor" ]
	run preloaded "$tor" curl -sS --max-time 5 http://10.9.0.2:8080/
	local status_alone=$status
	[ "$status" != 0 ]
	run preloaded "$tor:$lab_build/libmifcont.so" curl -sS --max-time 5 http://10.9.0.2:8080/
	[ "$status" = "$status_alone" ]
}

@test "sandboxes that forbid what the library would use: the program works" {
	local what
	for what in netlink threads eventfd inotify signals device netlink,threads,eventfd,inotify,signals,device; do
		serve_one
		run in_client "$lab_build/lab/forbid" "$what" env LD_PRELOAD="$lab_build/libmifcont.so" \
			MIFCONT_POLICY="$lab_dir/policy.conf" curl -sS --max-time 20 -o "$lab_dir/out" http://10.9.0.2:8080/file
		echo "$what: $output"
		[ "$status" = 0 ]
		same "$lab_dir/www/file" "$lab_dir/out"
	done
}

serve_one() {
	[ -e "$lab_dir/www/file" ] || serve_file 5
}

@test "a sandbox without inotify, signals or memory barriers still moves" {
	local what
	for what in inotify signals barriers; do
		: >"$lab_dir/client.log"
		download "$lab_build/libmifcont.so" "$lab_build/lab/forbid" "$what"
		[ "$(handovers)" -ge 1 ]
	done
}

@test "nor is a call made there that the sandbox may kill for" {
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
	watched="$lab_build/lab/forbid comparing,barriers" trial waits epoll
	[ "$(handovers)" -ge 2 ]
}

@test "few descriptors" {
	local n
	serve_one
	for n in 16 32 64; do
		run preloaded "$lab_build/libmifcont.so" bash -c \
			"ulimit -n $n; exec curl -sS --max-time 20 -o '$lab_dir/out' http://10.9.0.2:8080/file"
		echo "$n: $output"
		[ "$status" = 0 ]
		same "$lab_dir/www/file" "$lab_dir/out"
	done
}

# Opens as many as there may be, with a connection there: the number must be that without the library.
@test "a program gets as many descriptors as it would have had" {
	cat >"$lab_dir/count.py" <<-'END'
		import os, socket
		s = socket.create_connection(("10.9.0.2", 8080))
		n = 0
		try:
		    while True:
		        os.dup(0)
		        n += 1
		except OSError as e:
		    print(n, e.errno)
	END
	local n bare
	serve_one
	for n in 20 64 200 1024; do
		bare=$(in_client bash -c "ulimit -n $n; exec python3 '$lab_dir/count.py'")
		# Without a log: that would be one more, of the user's own choice.
		run in_client env LD_PRELOAD="$lab_build/libmifcont.so" MIFCONT_POLICY="$lab_dir/policy.conf" \
			bash -c "ulimit -n $n; exec python3 '$lab_dir/count.py'"
		echo "limit $n: bare $bare, preloaded $output"
		[ "$status" = 0 ]
		# Of a thousand the library takes some for itself, of fewer none.
		if [ "$n" = 1024 ]; then
			[ "${output% *}" -ge $((${bare% *} - 16)) ]
			[ "${output#* }" = "${bare#* }" ]
		else
			[ "$output" = "$bare" ]
		fi
	done
}

@test "a limit that is lowered while there is a connection" {
	cat >"$lab_dir/lower.py" <<-'END'
		import hashlib, resource, socket, sys
		s = socket.create_connection(("10.9.0.2", 8080))
		resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
		s.sendall(b"GET /file HTTP/1.0\r\n\r\n")
		data = b""
		while d := s.recv(65536):
		    data += d
		sys.stdout.buffer.write(data.split(b"\r\n\r\n", 1)[1])
	END
	serve_file 20
	preloaded "$lab_build/libmifcont.so" bash -c "ulimit -n 8192; exec python3 '$lab_dir/lower.py'" >"$lab_dir/out" &
	local pid=$!
	sleep 0.6
	flap "$pid" 2 400 600
	wait "$pid"
	same "$lab_dir/www/file" "$lab_dir/out"
	[ "$(handovers)" -ge 1 ]
}

@test "everything closed: by closefrom, close_range, a loop, raw calls" {
	cat >"$lab_dir/closer.py" <<-'END'
		import ctypes, os, socket, sys
		libc = ctypes.CDLL(None, use_errno=True)
		s = socket.create_connection(("10.9.0.2", 8080))
		os.dup2(s.fileno(), 3)
		how = sys.argv[1]
		if how == "closefrom":
		    libc.closefrom(4)
		elif how == "range":
		    os.closerange(4, 65536)
		elif how == "loop":
		    for fd in range(4, 20000):
		        libc.close(fd)
		else:
		    for fd in range(4, 20000):
		        libc.syscall(3, fd)  # close
		s.detach()
		t = socket.socket(fileno=3)
		t.sendall(b"GET /file HTTP/1.0\r\n\r\n")
		n = 0
		while d := t.recv(65536):
		    n += len(d)
		print(n > 5000000)
	END
	local how
	serve_file 5
	for how in closefrom range loop raw; do
		run preloaded "$lab_build/libmifcont.so" python3 "$lab_dir/closer.py" "$how"
		echo "$how: $output"
		[ "$status" = 0 ]
		[ "$output" = True ]
	done
}

@test "standard descriptors closed from the start are not taken" {
	cat >"$lab_dir/list.py" <<-'END'
		import os, socket, sys
		s = socket.create_connection(("10.9.0.2", 8080))
		numbers = sorted(n for n in map(int, os.listdir("/proc/self/fd")) if n < 1000)
		open(sys.argv[1], "w").write("%d: %s" % (s.fileno(), numbers))
	END
	serve_one
	in_client bash -c "exec 0<&- 1>&- 2>&-; exec python3 '$lab_dir/list.py' '$lab_dir/bare'"
	preloaded "$lab_build/libmifcont.so" bash -c "exec 0<&- 1>&- 2>&-; exec python3 '$lab_dir/list.py' '$lab_dir/with'"
	grep -q 'session open' "$lab_dir/client.log"
	cmp "$lab_dir/bare" "$lab_dir/with"
}

@test "no /proc" {
	serve_one
	run in_client unshare -m bash -c "umount -l /proc; LD_PRELOAD=$lab_build/libmifcont.so MIFCONT_POLICY=$lab_dir/policy.conf \
		exec curl -sS --max-time 20 -o '$lab_dir/out' http://10.9.0.2:8080/file"
	echo "$output"
	[ "$status" = 0 ]
	same "$lab_dir/www/file" "$lab_dir/out"
}

# A forked child gets a page of its own for everything that is written in it.
@test "a child of a program without connections costs some pages more, not hundreds" {
	local pages='import os, resource, sys
for i in range(200):
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt // 200)'
	local bare with
	bare=$(in_client python3 -c "$pages")
	with=$(preloaded "$lab_build/libmifcont.so" python3 -c "$pages")
	echo "$bare pages without, $with with the library"
	[ "$with" -lt $((bare + 60)) ]
}

@test "in /etc/ld.so.preload ordinary programs run as before" {
	cat >"$lab_dir/all" <<-END
		touch /etc/ld.so.preload 2>/dev/null
		mount --bind "$lab_dir/preload" /etc/ld.so.preload || exit 77
		export HOME=$lab_dir
		ls / >/dev/null && python3 -c 'print(1)' && dpkg -l bash >/dev/null && id && getent passwd root &&
			ssh -V && bash -c 'echo \$(echo two)' && find /etc -maxdepth 1 -name passwd && grep -c libmifcont /proc/self/maps
	END
	[ -e /etc/ld.so.preload ] && skip "there is one already"
	echo "$lab_build/libmifcont.so" >"$lab_dir/preload"
	in_client unshare -m bash "$lab_dir/all" >"$lab_dir/with" 2>&1 || { [ $? = 77 ] && skip "no bind mounts here"; cat "$lab_dir/with"; false; }
	rm -f /etc/ld.so.preload
	grep -qx two "$lab_dir/with"
	grep -qx 1 "$lab_dir/with"
	[ "$(tail -n 1 "$lab_dir/with")" -ge 1 ]
	# Not a word of it.
	[ "$(grep -ci -e mifcont -e preload "$lab_dir/with")" = 0 ]
}

@test "a set-user-ID program does not listen to its caller's environment" {
	grep -q '^ *0 *0 *4294967295' /proc/self/uid_map || skip "there is one user here"
	[ -e /etc/ld.so.preload ] && skip "there is one already"
	serve_one
	cp "$(command -v curl)" "$lab_dir/curl"
	chmod 4755 "$lab_dir/curl"
	chmod 755 "$lab_dir"
	mkdir -m 777 "$lab_dir/open"
	echo "$lab_build/libmifcont.so" >"$lab_dir/preload"
	cp "$lab_build/libmifcont.so" /tmp/mifcont-$$.so
	echo "/tmp/mifcont-$$.so" >"$lab_dir/preload"
	cat >"$lab_dir/all" <<-END
		touch /etc/ld.so.preload
		mount --bind "$lab_dir/preload" /etc/ld.so.preload || exit 77
		exec setpriv --reuid 65534 --regid 65534 --clear-groups env MIFCONT_POLICY="$lab_dir/policy.conf" \
			MIFCONT_LOG="debug:\$1" XDG_STATE_HOME="$lab_dir/open" "\$2" -sS --max-time 20 -o "$lab_dir/open/out" \
			http://10.9.0.2:8080/file
	END
	# An ordinary one does.
	in_client unshare -m bash "$lab_dir/all" "$lab_dir/open/log" curl
	[ -s "$lab_dir/open/log" ]
	same "$lab_dir/www/file" "$lab_dir/open/out"
	rm "$lab_dir/open/log" "$lab_dir/open/out"
	in_client unshare -m bash "$lab_dir/all" "$lab_dir/open/log" "$lab_dir/curl"
	same "$lab_dir/www/file" "$lab_dir/open/out"
	[ ! -e "$lab_dir/open/log" ]
	rm -f /etc/ld.so.preload /tmp/mifcont-$$.so
}

# What the agent opens meanwhile must neither be in the way nor be in a child.
numbers() { # WHICH
	local meanwhile status=0
	lab_spawn server "$lab_dir/echo.log" python3 "$lab_root/tests/lab/echo_server.py" 9000
	wait_port 9000
	bare=1 trial lowest "$1"
	while sleep 0.02; do
		touch "$lab_dir/policy.conf"
		in_client "$lab_build/mifcont" status >/dev/null 2>&1
	done 3>&- &
	meanwhile=$!
	trial lowest "$1" || status=$?
	kill "$meanwhile"
	wait "$meanwhile" || :
	[ "$status" = 0 ]
	[ "$(handovers)" -ge 4 ]
}

@test "the lowest free number is the program's, also in the middle of a handover" {
	numbers numbers
}

@test "a child has none of the agent's descriptors, whenever it is forked" {
	numbers children
}
