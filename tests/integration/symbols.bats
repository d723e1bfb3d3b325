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
