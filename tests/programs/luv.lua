-- SPDX-License-Identifier: MIT
-- Ten echo connections of libuv's: luv.lua HOST PORT
local uv = require("luv")
local left = 10
for n = 1, 10 do
	local c, i, got = uv.new_tcp(), 0, ""
	local function line() return n .. " " .. i .. " " .. string.rep("x", 2000) .. "\n" end
	c:connect(arg[1], tonumber(arg[2]), function(err)
		assert(not err, err)
		c:read_start(function(e, data)
			assert(not e and data, e or "early end")
			got = got .. data
			if got:sub(-1) ~= "\n" then return end
			assert(got == line(), "wrong")
			got, i = "", i + 1
			if i == 150 then c:close() left = left - 1 return end
			local t = uv.new_timer()
			t:start(15, 0, function() t:close() c:write({ line(), "" }) end)
		end)
		c:write(line())
	end)
end
uv.run()
print(left)
os.exit(left == 0 and 0 or 1)
