# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034  # what scripts/transparency has set, and uses
# Tests of system calls by the Linux Test Project, which Debian does not package. LTP names a checkout of it, or an address
# that git fetches it from; without that there are none:
#
#     LTP=../ltp scripts/transparency ltp
#
# Each is a program with one outcome, run as root in a namespace of processes of its own: some of them kill.

ltp_needs='git autoconf automake m4 pkg-config'

# The folders of its system calls: sockets and what they share with other descriptors, waiting, processes, signals, rights.
ltp_sockets='accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmsg send sendfile
	sendmmsg sendmsg sendto setsockopt shutdown socket socketcall socketpair sockioctl'
ltp_calls="$ltp_sockets epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_wait poll ppoll pselect select eventfd eventfd2
	signalfd signalfd4 timerfd close close_range dup dup2 dup3 fcntl lseek fstat read readv pread preadv preadv2 write writev
	pwrite pwritev pwritev2 pipe pipe2 splice tee vmsplice io_uring io_submit io_getevents kcmp pidfd_getfd pidfd_open
	pidfd_send_signal fork vfork clone clone3 execl execle execlp execv execve execveat execvp exit exit_group wait wait4
	waitid waitpid kill tkill tgkill pause alarm rt_sigaction rt_sigprocmask rt_sigqueueinfo rt_sigsuspend rt_sigtimedwait
	rt_tgsigqueueinfo sigaction sigaltstack signal sigpending sigprocmask sigsuspend sigtimedwait sigwait sigwaitinfo
	nanosleep clock_nanosleep futex getrlimit setrlimit capset prctl seccomp unshare setns setuid setgid setreuid setregid
	setresuid setresgid setegid setfsuid setgroups"

# Those that race with the kernel for minutes, fill a device, fork ten thousand times or open all files they may.
ltp_without=' bind06 sendmsg03 setsockopt06 setsockopt07 setsockopt11 timerfd_settime02 preadv03 preadv03_64 preadv203
	preadv203_64 pwritev03 pwritev03_64 writev03 execveat03 prctl06 fcntl14 fcntl14_64 fork09 fork13 fork14 '

ltp_version() {
	local d=$keep/ltp call
	if [ ! -e "$d/built" ]; then
		if [ -d "$LTP" ]; then cp -a "$LTP" "$d"; else git clone -q --depth 1 "$LTP" "$d"; fi >"$keep/ltp.log" 2>&1
		(cd "$d" && { [ -e include/mk/config.mk ] || { make autotools && ./configure; }; } && make -s -j2 -C lib) >>"$keep/ltp.log" 2>&1
		for call in $ltp_calls; do make -s -j2 -C "$d/testcases/kernel/syscalls/$call"; done >>"$keep/ltp.log" 2>&1
		touch "$d/built"
	fi
	echo "LTP $(cat "$d/VERSION")"
}

ltp_modules() { sed 's/ .*//' "$1" | sort -u; }

# NAME FOLDER COMMAND..., of all or those that are named.
ltp_list() { # CALLS [NAME...]
	local calls=" $1 " call name command
	shift
	while read -r name command; do
		[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
		[[ $ltp_without != *[[:space:]]"$name"[[:space:]]* ]] || continue
		for call in "$keep"/ltp/testcases/kernel/syscalls/*/"${command%% *}"; do
			call=${call%/*} call=${call##*/}
			[[ $calls != *[[:space:]]"$call"[[:space:]]* ]] || echo "$name $call $command"
		done
	done < <(grep -vE '^(#|$)' "$keep/ltp/runtest/syscalls")
}

ltp_run() { # MODE RESULTS [NAME...]
	local mode=$1 results=$2 calls=$ltp_calls name folder command how tmp
	shift 2
	case $mode in bare-host | session) calls=$ltp_sockets ;; esac
	: >"$results"
	: >"$results.log"
	tmp=$(mktemp -d)
	chmod 755 "$tmp"
	while read -r name folder command; do
		folder=$keep/ltp/testcases/kernel/syscalls/$folder
		# shellcheck disable=SC2086  # words are meant to split
		(cd "$tmp" && in_mode "$mode" env KCONFIG_SKIP_CHECK=1 LTPROOT="$keep/ltp" TMPDIR="$tmp" LTP_TIMEOUT_MUL=3 \
			PATH="$folder:$keep/ltp/testcases/lib:$PATH" unshare -pf --mount-proc timeout -k 5 150 $command) \
			>"$results.one" 2>&1 </dev/null
		how=$?
		{ echo "== $name: $how"; cat "$results.one"; } >>"$results.log"
		case $how in 0) how=ok ;; 32) how=skipped ;; *) how=failed ;; esac
		echo "$name $how" >>"$results"
	done < <(ltp_list "$calls" "$@")
	rm -rf "$tmp" "$results.one"
}

ltp_there() {
	[ -n "${LTP:-}" ] || echo "no LTP: name a checkout of the Linux Test Project, or git's address of one: LTP=..."
	[ -n "${LTP:-}" ]
}

suite_ltp() { ! ltp_there || pair ltp ltp "$(ltp_version)" bare preloaded; }

suite_ltp-host() { ! ltp_there || elsewhere pair ltp-host ltp "$(ltp_version)" bare-host session; }
