# SPDX-License-Identifier: MIT
# Twenty echo connections by asyncdispatch: echo HOST PORT
import std/[asyncdispatch, asyncnet, os, strutils]

proc one(host: string, port: Port, n: int): Future[int] {.async.} =
  let s = await asyncnet.dial(host, port)
  for i in 0 ..< 150:
    let line = $n & " " & $i & " " & repeat('x', 2000)
    await s.send(line & "\n")
    doAssert (await s.recvLine(maxLength = 100000)) == line
    await sleepAsync(15)
  s.close()
  return n

proc main() {.async.} =
  var all: seq[Future[int]]
  for n in 0 ..< 20: all.add one(paramStr(1), Port(parseInt(paramStr(2))), n)
  echo await all(all)

waitFor main()
