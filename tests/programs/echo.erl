%% SPDX-License-Identifier: MIT
%% Twenty connections to an echo server, active mode: escript echo.erl HOST PORT
main([Host, Port]) ->
    Self = self(),
    [spawn_link(fun() -> one(Host, list_to_integer(Port), N), Self ! done end) || N <- lists:seq(1, 20)],
    [receive done -> ok after 60000 -> halt(1) end || _ <- lists:seq(1, 20)],
    io:format("20 connections~n").

one(Host, Port, N) ->
    {ok, S} = gen_tcp:connect(Host, Port, [binary, {packet, line}, {active, true}, {recbuf, 65536}]),
    [line(S, N, I) || I <- lists:seq(1, 200)],
    gen_tcp:close(S).

line(S, N, I) ->
    L = iolist_to_binary([integer_to_list(N), $ , integer_to_list(I), $ , lists:duplicate(500, $x), $\n]),
    ok = gen_tcp:send(S, L),
    receive {tcp, S, L} -> ok; Other -> io:format("~p ~p: ~p~n", [N, I, Other]), halt(1) end,
    timer:sleep(15).
