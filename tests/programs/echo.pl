% SPDX-License-Identifier: MIT
% Eight threads with an echo connection each: swipl echo.pl HOST PORT
:- use_module(library(socket)).
:- use_module(library(readutil)).
:- initialization(main, main).

main([Host, Port]) :-
	atom_number(Port, P),
	findall(N, between(1, 8, N), Ns),
	concurrent_maplist(one(Host, P), Ns, Sums),
	sum_list(Sums, Sum),
	writeln(Sum).

one(Host, Port, N, 150) :-
	setup_call_cleanup(tcp_connect(Host:Port, S, []),
		forall(between(1, 150, I), line(S, N, I)), close(S)).

line(S, N, I) :-
	length(L, 2000), maplist(=(0'x), L),
	format(string(Line), "~w ~w ~s", [N, I, L]),
	format(S, "~s~n", [Line]), flush_output(S),
	read_line_to_string(S, Line),
	sleep(0.015).
