-- SPDX-License-Identifier: MIT
-- Lines to an echo server and back by LuaSocket: echo.lua HOST PORT
local socket = require("socket")
local c = assert(socket.connect(arg[1], tonumber(arg[2])))
for i = 1, 300 do
	local line = i .. string.rep("x", 1000)
	assert(c:send(line .. "\n"))
	local got = assert(c:receive("*l"))
	assert(got == line, "line " .. i .. " is wrong")
	socket.sleep(0.01)
end
c:close()
print("300 lines")
