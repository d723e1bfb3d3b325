# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034  # what scripts/transparency has set, and uses
# Perl's own tests of its sockets and streams, by the perl that is installed. Two of them want the Internet.

perl_needs='perl'

perl_files() { # FILE: as they are in the source, or those of the results
	if [ $# -gt 0 ]; then sed -n 's/:.*//p' "$1" | sort -u; return; fi
	(cd "$keep/perl" && ls dist/IO/t/*.t cpan/Socket/t/*.t cpan/IO-Socket-IP/t/*.t cpan/libnet/t/*.t cpan/HTTP-Tiny/t/*.t \
		ext/IPC-Open3/t/*.t t/io/{socket,socketpair,pipe,dup,fs,inplace,nargv,open,print,read,say,tell,utf8,sem,shm,msg,eintr,closepid}.t \
		t/op/{fork,exec,alarm,select,sselect,kill0,die_exit}.t) 2>/dev/null | grep -v -e connect-internet -e 99pod
}

perl_version() {
	[ -d "$keep/perl/dist" ] || source_of perl 2>/dev/null
	# The perl that is installed has its own library, not the source's.
	sed -i 's/^    @INC = () unless is_miniperl;/    return;/' "$keep/perl/t/test.pl"
	[ -e "$keep/perl/dist/IO/t/test.pl" ] || ln -s ../../../t/test.pl "$keep/perl/dist/IO/t/test.pl"
	perl -e 'printf "Perl %vd\n", $^V'
}

perl_modules() { perl_files "$1"; }

# The tests have no name that stays; their number does, and how the program ended counts as one more.
perl_run() { # MODE RESULTS [FILE...]
	local mode=$1 results=$2 file flags files
	shift 2
	[ $# -gt 0 ] || mapfile -t files < <(perl_files)
	[ $# = 0 ] || files=("$@")
	: >"$results"
	: >"$results.log"
	for file in "${files[@]}"; do
		local at=${file%/t/*} name=t/${file##*/t/}
		case $file in t/*) at=t name=${file#t/} ;; esac
		flags=$(sed -nE '1s/^#!.*perl.* -([tTw]+).*/-\1/p' "$keep/perl/$file")
		(cd "$keep/perl/$at" && in_mode "$mode" timeout -k 5 120 perl ${flags:+"$flags"} -I. "$name") >"$results.one" 2>&1 </dev/null
		echo "exit $?" >>"$results.one"
		awk -v file="$file" 'function say(n, how) { print file ":" n, how }
			/^ok [0-9]+.*# *(skip|SKIP|TODO)/ || /^not ok [0-9]+.*# *TODO/ { say($1 == "ok" ? $2 : $3, "skipped"); next }
			/^ok [0-9]+/ { say($2, "ok") } /^not ok [0-9]+/ { say($3, "failed") }
			/^exit / { say("exit", $2 == 0 ? "ok" : "failed") }' "$results.one" >>"$results"
		{ echo "== $file"; cat "$results.one"; } >>"$results.log"
	done
	rm -f "$results.one"
}

suite_perl() { pair perl perl "$(perl_version)" bare preloaded; }

suite_perl-host() { elsewhere pair perl-host perl "$(perl_version)" bare-host session; }
