# SPDX-License-Identifier: MIT
# Twenty tasks with a passive echo connection each: elixir echo.exs HOST PORT
[host, port] = System.argv()
one = fn n ->
  {:ok, s} = :gen_tcp.connect(String.to_charlist(host), String.to_integer(port), [:binary, active: false, packet: :line, recbuf: 65536, buffer: 65536])
  for i <- 1..150 do
    line = "#{n} #{i} #{String.duplicate("x", 2000)}\n"
    :ok = :gen_tcp.send(s, line)
    {:ok, ^line} = :gen_tcp.recv(s, 0, 20000)
    Process.sleep(15)
  end
  :gen_tcp.close(s)
  n
end
1..20 |> Enum.map(&Task.async(fn -> one.(&1) end)) |> Task.await_many(90000) |> Enum.sum() |> IO.puts()
