#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The interposed surface against the libc of this machine: every name that has to do with sockets, descriptors or
# waiting is either taken (preload/symbols.list) or left, with a reason (preload/symbols.left).

setup() {
	root=$BATS_TEST_DIRNAME/../..
	build=${MIFCONT_BUILD:-$root/build}
	list=$root/preload/symbols.list
	left=$root/preload/symbols.left
	scope=$root/preload/symbols.scope
}

taken() { awk '!/^#/ && NF {print $1}' "$list" | sort; }
left_out() { awk '!/^#/ && NF {print $1}' "$left" | sort; }
as_patterns() { sed 's/[.]/[.]/g; s/[*]/.*/g; s/.*/^&$/'; }

# What a program can be linked with. glibc's private names have a version that no program can ask for.
names_of() { # LIBRARY
	nm -D --defined-only "$1" | awk '$2 ~ /^[TWi]$/ && $3 !~ /@GLIBC_PRIVATE/ {sub(/@.*/, "", $3); print $3}' |
		sort -u
}

in_scope() {
	grep -v '^#' "$scope" | grep -E -f - <(names_of "$1")
}

# Names of this libc on neither list.
forgotten() { # LIBRARY
	in_scope "$1" | grep -vxF -f <(taken) | grep -v -f <(left_out | as_patterns)
}

the_libc() {
	ldd "$build/libmifcont.so" | awk '$1 ~ /^libc[.]/ {print $3}'
}

@test "every name of this libc is taken or left for a reason" {
	# Lest an empty pattern or a missing file pass for agreement.
	[ "$(in_scope "$(the_libc)" | wc -l)" -gt 300 ]
	run forgotten "$(the_libc)"
	[ -z "$output" ]
}

@test "every name of musl is taken or left for a reason" {
	local musl
	musl=$(compgen -G '/lib/ld-musl-*.so.1' | head -n 1) || :
	[ -n "$musl" ] || skip "no musl here"
	[ "$(in_scope "$musl" | wc -l)" -gt 200 ]
	run forgotten "$musl"
	[ -z "$output" ]
}

@test "the comparison finds a name that is on no list" {
	left=$BATS_TEST_TMPDIR/left
	grep -v '^accept ' "$root/preload/symbols.left" | grep -v '^tee ' >"$left"
	grep -v '^recvmsg ' "$list" >"$BATS_TEST_TMPDIR/list"
	list=$BATS_TEST_TMPDIR/list
	run forgotten "$(the_libc)"
	[[ $'\n'$output$'\n' == *$'\n'recvmsg$'\n'* ]]
	[[ $'\n'$output$'\n' == *$'\n'tee$'\n'* ]]
}

@test "no name is on both lists, or twice on one" {
	run comm -12 <(taken) <(left_out)
	[ -z "$output" ]
	run uniq -d <(taken)
	[ -z "$output" ]
	run uniq -d <(left_out)
	[ -z "$output" ]
}

@test "every name that is left has a reason" {
	run awk '!/^#/ && NF && NF < 3' "$left"
	[ -z "$output" ]
}

@test "the library exports the names of the list and nothing else" {
	run diff <(nm -D --defined-only "$build/libmifcont.so" | awk '{print $3}' | sort) <(taken)
	[ "$status" = 0 ]
}

@test "no name of a program's or of its libraries' can take the place of what the library calls" {
	# But for the C library's, and those of libmnl, of which there is no archive to link.
	[ "$(nm -D --undefined-only "$build/libmifcont.so" | wc -l)" -gt 100 ]
	run comm -23 <(nm -D --undefined-only "$build/libmifcont.so" | awk '{sub(/@.*/, "", $2); print $2}' | sort -u) \
		<(nm -D --defined-only "$(the_libc)" | awk '{sub(/@.*/, "", $3); print $3}' | sort -u)
	echo "$output"
	# The compiler's own hooks are weak, and nobody's.
	[ -z "$(grep -vE '^(mnl_.*|_ITM_.*|__gmon_start__|__tls_get_addr)$' <<<"$output")" ]
}

@test "calls by number, and wrong pointers, are answered as without the library" {
	local program='
import ctypes, errno, os, socket
c = ctypes.CDLL(None, use_errno=True)
c.syscall.restype = ctypes.c_long
def call(f, *args):
    ctypes.set_errno(0)
    r = f(*[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    return r, errno.errorcode.get(ctypes.get_errno(), 0)
NR = {"close": 3, "mmap": 9, "sendmsg": 46, "connect": 42, "setuid": 105, "pread": 17, "dup3": 292} \
    if os.uname().machine == "x86_64" else exit(77)
f = os.memfd_create("f"); os.write(f, b"a" * 4096 + b"b" * 4096)
at = c.syscall(*[ctypes.c_long(a) for a in (NR["mmap"], 0, 4096, 1, 2, f, 4096)])
print(ctypes.string_at(at, 3))
print(call(c.syscall, 9999), call(c.syscall, -1), call(c.syscall, NR["close"], 999))
s = socket.socket(); n = s.fileno()
print(call(c.connect, n, 16, 16), call(c.connect, n, 16, 28), call(c.syscall, NR["connect"], n, 16, 16))
print(call(c.sendmsg, n, 16, 0), call(c.syscall, NR["sendmsg"], n, 16, 0), call(c.recvmsg, n, 16, 0))
print(call(c.preadv2, n, 16, 1, -1, 0), call(c.pwritev2, n, 16, 1, -1, 0), call(c.pwritev2, n, 16, 1, 0, 0))
print(call(c.splice, n, 0, n, 0, 5, 0), call(c.accept4, n, 0, 0, 1 << 30), call(c.socketpair, 1, 1, 0, 16))
print(call(c.syscall, NR["dup3"], n, n, 0), call(c.ioctl, n, 0x5421, 16))'
	local bare
	bare=$(python3 -c "$program") || { [ "$?" = 77 ] && skip "no numbers for this machine"; }
	run env LD_PRELOAD="$build/libmifcont.so" python3 -c "$program"
	[ "$status" = 0 ]
	[ "$output" = "$bare" ]
	[[ $output == *ENOSYS* && $output == *EFAULT* && $output == *bbb* ]]
}
