-- SPDX-License-Identifier: MIT
--
-- Shows the mifcont session protocol (docs/protocol.md) in Wireshark and tshark. Copy it into the personal plugin folder
-- (Help > About > Folders), or:  tshark -X lua_script:mifcont.lua ...
--
-- What a direction of a connection carries next depends on nothing but the messages it has carried: every direction is a
-- list of stages (messages, sealed records, raw stream), each noted with the frame it begins in. A gap in what was captured
-- ends that, except in a stream; where segments overtook each other, turn on "Reassemble out-of-order segments" of TCP.

local mifcont = Proto("mifcont", "mifcont session protocol")

-- Longer messages than today are shown, for later versions; what is longer than that is nonsense.
local HEADER, MESSAGE_MAX, RECORD_MAX, TAG = 4, 4096, 254, 16

-- --- fields ---

local types = {
	[0x01] = "HELLO", [0x02] = "ATTACH", [0x03] = "OPEN", [0x04] = "RESUME", [0x05] = "COMMIT",
	[0x06] = "STANDBY", [0x86] = "READY",
	[0x81] = "WELCOME", [0x82] = "ATTACHED", [0x83] = "OPENED", [0x84] = "RESUMED", [0xff] = "REFUSED",
}
local reasons = {
	[1] = "malformed", [2] = "unknown association or session", [3] = "not authenticated", [4] = "not allowed",
	[5] = "too many", [6] = "too old: replayed, or behind the committed epoch", [7] = "gone: the session has ended",
	[8] = "leaving: no new associations here",
}
-- How long a frame of each kind is in the clear; sealed, its length is all there is to see.
local frames = {
	[1] = "GOAWAY", [9] = "ASK, DETACH, PING, PONG or URGENT", [13] = "RESET", [17] = "EOF or CLOSE", [26] = "ACK",
}

local f = {
	type = ProtoField.uint8("mifcont.type", "Type", base.HEX, types),
	version = ProtoField.uint8("mifcont.version", "Version"),
	length = ProtoField.uint16("mifcont.length", "Length"),
	ephemeral = ProtoField.bytes("mifcont.ephemeral", "Ephemeral key (e)"),
	static = ProtoField.bytes("mifcont.static", "Relay's static key, sealed (s)"),
	payload = ProtoField.bytes("mifcont.payload", "Payload, sealed"),
	token = ProtoField.bytes("mifcont.token", "Token"),
	epoch = ProtoField.uint32("mifcont.epoch", "Epoch"),
	attach = ProtoField.uint32("mifcont.attach", "Number of the ATTACH"),
	standby = ProtoField.uint32("mifcont.standby", "Number of the STANDBY"),
	mac = ProtoField.bytes("mifcont.mac", "Mac"),
	association = ProtoField.bytes("mifcont.association", "Association id"),
	session = ProtoField.uint64("mifcont.session", "Session id"),
	request = ProtoField.bytes("mifcont.request", "Request, sealed"),
	answer = ProtoField.bytes("mifcont.answer", "Answer, sealed"),
	s2c_count = ProtoField.uint64("mifcont.s2c.count", "s2c count: the client has"),
	c2s_count = ProtoField.uint64("mifcont.c2s.count", "c2s count: the relay has"),
	c2s_tail = ProtoField.uint64("mifcont.c2s.tail", "c2s tail: the client has written"),
	c2s_end = ProtoField.uint64("mifcont.c2s.end", "c2s end"),
	s2c_end = ProtoField.uint64("mifcont.s2c.end", "s2c end"),
	flags = ProtoField.uint8("mifcont.flags", "Flags", base.HEX),
	reset = ProtoField.bool("mifcont.flags.reset", "The direction was reset", 8, nil, 0x01),
	closed = ProtoField.bool("mifcont.flags.closed", "The sender's program has closed the stream", 8, nil, 0x02),
	nonce = ProtoField.bytes("mifcont.nonce", "Nonce"),
	reason = ProtoField.uint8("mifcont.reason", "Reason", base.DEC, reasons),
	more = ProtoField.bytes("mifcont.more", "Not known to this dissector"),
	record = ProtoField.none("mifcont.record", "Control record"),
	record_length = ProtoField.uint16("mifcont.record.length", "Length"),
	record_number = ProtoField.uint32("mifcont.record.number", "Number in its direction, and nonce"),
	record_sealed = ProtoField.bytes("mifcont.record.sealed", "Sealed frame"),
	stream = ProtoField.bytes("mifcont.stream", "Stream"),
	stream_count = ProtoField.uint64("mifcont.stream.count", "Count of the first byte"),
	connection = ProtoField.string("mifcont.connection", "Connection"),
	answered = ProtoField.framenum("mifcont.answer_in", "Answer in", base.NONE, frametype.RESPONSE),
	asked = ProtoField.framenum("mifcont.request_in", "Request in", base.NONE, frametype.REQUEST),
}
mifcont.fields = f

local e = {
	malformed = ProtoExpert.new("mifcont.malformed", "Not of this protocol", expert.group.MALFORMED, expert.severity.ERROR),
	turn = ProtoExpert.new("mifcont.out_of_turn", "A message out of turn", expert.group.SEQUENCE, expert.severity.WARN),
	refused = ProtoExpert.new("mifcont.refused", "Refused", expert.group.RESPONSE_CODE, expert.severity.NOTE),
	cut = ProtoExpert.new("mifcont.cut", "The rest is not here", expert.group.UNDECODED, expert.severity.NOTE),
}
mifcont.experts = e

mifcont.prefs.port = Pref.uint("TCP port of the relay", 7343, "Where the relay listens")

local tcp_stream, tcp_seq, tcp_len = Field.new("tcp.stream"), Field.new("tcp.seq"), Field.new("tcp.len")
local tcp_syn = Field.new("tcp.flags.syn")
local tcp_completeness = Field.new("tcp.completeness")

-- --- what is known of connections ---

local connections = {}

function mifcont.init()
	connections = {}
end

local function direction_of(pinfo)
	local stream = tcp_stream().value
	local c = connections[stream]
	if not c then
		c = { ways = {} }
		connections[stream] = c
	end
	local key = tostring(pinfo.src) .. "|" .. pinfo.src_port
	local d = c.ways[key]
	if not d then
		d = { stages = { { mode = "message", frame = 0, at = 0 } }, whole = {}, number = {}, records = 0 }
		c.ways[key] = d
	end
	return c, d
end

-- Where in its direction the first byte of the buffer stands, in TCP's numbers. A reassembled buffer is a source of its
-- own: it begins where bytes were asked for.
local function position(d, tvb, pinfo)
	if tvb:offset() > 0 then
		-- What rides in a SYN stands behind it.
		return tcp_seq().value + (tcp_syn().value and 1 or 0) + tcp_len().value - tvb:len()
	end
	-- Its length may be another one in the second pass.
	if not pinfo.visited then
		d.whole[pinfo.number] = d.whole[pinfo.number] or d.wanted
	end
	return d.whole[pinfo.number] or 0
end

local function stage_at(d, frame, at)
	for i = #d.stages, 1, -1 do
		local s = d.stages[i]
		if s.frame < frame or (s.frame == frame and s.at <= at) then
			return s
		end
	end
	return d.stages[1]
end

local function enter(d, pinfo, at, mode, count, why)
	if pinfo.visited then
		return
	end
	d.stages[#d.stages + 1] = { mode = mode, frame = pinfo.number, at = at, count = count, why = why }
end

-- --- messages ---

-- Adds fields one behind the other.
local function cursor(tree, range)
	local at = 0
	local c = {}
	function c.add(field, len)
		local r = range(at, len)
		at = at + len
		return tree:add(field, r), r
	end
	function c.left()
		return range:len() - at
	end
	return c
end

local function add_end(c, field)
	local item, r = c.add(field, 8)
	if r:bytes():tohex() == "FFFFFFFFFFFFFFFF" then
		item:append_text(" (not known yet)")
	end
end

local function add_flags(c)
	local item, r = c.add(f.flags, 1)
	item:add(f.reset, r)
	item:add(f.closed, r)
end

-- By type: the length of the body (at least that where more may follow), the connection it makes or belongs to, what its
-- direction carries next, and how to show it. `show` returns what the Info column is to say.
local messages = {
	[0x01] = { length = 32, kind = "control", first = true, next = "record", show = function(c)
		c.add(f.ephemeral, 32)
	end },
	[0x02] = { length = 36, kind = "control", first = true, next = "record", show = function(c)
		c.add(f.token, 16)
		local _, n = c.add(f.attach, 4)
		c.add(f.mac, 16)
		return "number " .. n:uint()
	end },
	[0x03] = { length = 24 + TAG, open = true, kind = "data", first = true, next = "stream", show = function(c)
		c.add(f.association, 16)
		local _, id = c.add(f.session, 8)
		c.add(f.request, c.left())
		return "session " .. tostring(id:uint64())
	end },
	[0x04] = { length = 53, kind = "data", first = true, next = "message", show = function(c, connection)
		c.add(f.token, 16)
		local _, epoch = c.add(f.epoch, 4)
		local _, count = c.add(f.s2c_count, 8)
		add_end(c, f.c2s_end)
		add_flags(c)
		c.add(f.mac, 16)
		connection.s2c = count:uint64()
		return "epoch " .. epoch:uint() .. " from s2c " .. tostring(count:uint64())
	end },
	[0x05] = { length = 36, kind = "data", next = "stream", show = function(c)
		local _, epoch = c.add(f.epoch, 4)
		local _, count = c.add(f.s2c_count, 8)
		local _, tail = c.add(f.c2s_tail, 8)
		c.add(f.mac, 16)
		return "epoch " .. epoch:uint() .. " s2c " .. tostring(count:uint64()) .. " c2s to " .. tostring(tail:uint64())
	end },
	-- Each side begins anew behind these.
	[0x06] = { length = 36, first = true, anew = true, next = "message", show = function(c)
		c.add(f.token, 16)
		local _, n = c.add(f.standby, 4)
		c.add(f.mac, 16)
		return "number " .. n:uint()
	end },
	[0x86] = { length = 20, first = true, anew = true, next = "message", show = function(c)
		local _, n = c.add(f.standby, 4)
		c.add(f.mac, 16)
		return "number " .. n:uint()
	end },
	[0x81] = { length = 96, open = true, kind = "control", first = true, next = "record", show = function(c)
		c.add(f.ephemeral, 32)
		c.add(f.static, 32 + TAG)
		c.add(f.payload, c.left())
	end },
	[0x82] = { length = 20, kind = "control", first = true, next = "record", show = function(c)
		local _, n = c.add(f.attach, 4)
		c.add(f.mac, 16)
		return "number " .. n:uint()
	end },
	[0x83] = { length = 8 + TAG, open = true, kind = "data", first = true, next = "stream", show = function(c)
		local _, id = c.add(f.session, 8)
		c.add(f.answer, c.left())
		return "session " .. tostring(id:uint64())
	end },
	[0x84] = { length = 53, kind = "data", first = true, next = "stream", show = function(c, connection)
		local _, epoch = c.add(f.epoch, 4)
		c.add(f.nonce, 16)
		local _, count = c.add(f.c2s_count, 8)
		add_end(c, f.s2c_end)
		add_flags(c)
		c.add(f.mac, 16)
		connection.c2s = count:uint64()
		return "epoch " .. epoch:uint() .. " from c2s " .. tostring(count:uint64())
	end },
	[0xff] = { length = 1, first = true, next = "nothing", show = function(c)
		local item, why = c.add(f.reason, 1)
		local text = reasons[why:uint()] or ("reason " .. why:uint())
		item:add_proto_expert_info(e.refused, "Refused: " .. text)
		return text
	end },
}

-- The first message of each side answers the other's.
local function link(connection, message, tree, pinfo)
	local mine, other = "relay_frame", "client_frame"
	if message < 0x80 then
		mine, other = other, mine
	end
	if not pinfo.visited and not connection[mine] then
		connection[mine] = pinfo.number
	end
	if connection[mine] == pinfo.number and connection[other] then
		local field = message < 0x80 and f.answered or f.asked
		tree:add(field, connection[other]):set_generated()
	end
end

-- Shows one whole message; returns what its direction carries next.
local function show_message(range, pinfo, root, connection)
	local type = range(0, 1):uint()
	local m = messages[type]
	local tree = root:add(mifcont, range, types[type])
	local head = cursor(tree, range)
	head.add(f.type, 1)
	head.add(f.version, 1)
	head.add(f.length, 2)
	local body = cursor(tree, range(HEADER))
	local said = m.show(body, connection)
	if body.left() > 0 then
		body.add(f.more, body.left())
	end
	if m.kind then
		connection.kind = m.kind
		tree:add(f.connection, m.kind):set_generated()
	end
	link(connection, type, tree, pinfo)
	local text = types[type] .. (said and " (" .. said .. ")" or "")
	pinfo.cols.info:append((connection.shown and ", " or "") .. text)
	connection.shown = true
	tree:append_text(said and " (" .. said .. ")" or "")
	return tree, m
end

-- What is wrong with the header at hand, as far as it is there; nil: nothing.
local function wrong_header(range)
	local m = messages[range(0, 1):uint()]
	if not m then
		return string.format("no message has the type 0x%02x", range(0, 1):uint())
	end
	if range:len() >= 2 and range(1, 1):uint() ~= 1 then
		return "version " .. range(1, 1):uint() .. " is not known"
	end
	if range:len() < HEADER then
		return nil
	end
	local n = range(2, 2):uint()
	if n < m.length or (n > m.length and not m.open) or n > MESSAGE_MAX - HEADER then
		return string.format("%s of %d bytes, expected %s%d", types[range(0, 1):uint()], n,
			m.open and "at least " or "", m.length)
	end
end

-- --- pieces: each returns how many bytes it used; or nil and how many more it needs ---
-- Where not even a length is there, one more segment: bytes named by number are looked for behind this segment only.

local piece = {}

function piece.nothing(range, pinfo, tree, connection, way, at)
	local s = stage_at(way, pinfo.number, at)
	local item = tree:add(mifcont, range, "Not dissected")
	if s.why and s.frame == pinfo.number and s.at == at then
		item:add_proto_expert_info(e.malformed, s.why)
		pinfo.cols.info:append((connection.shown and ", " or "") .. "[" .. s.why .. "]")
	end
	return range:len()
end

function piece.unknown(range, _, tree)
	tree:add(mifcont, range, "Something before this was not captured")
	return range:len()
end

function piece.message(range, pinfo, tree, connection, way, at)
	local wrong = wrong_header(range)
	if wrong then
		-- TCP's own numbers begin with 1, if its beginning was captured.
		local whole = #way.stages > 1 or (at == 1 and tcp_completeness().value % 2 == 1)
		local mode = whole and "nothing" or "unknown"
		enter(way, pinfo, at, mode, nil, wrong)
		return piece[mode](range, pinfo, tree, connection, way, at)
	end
	if range:len() < HEADER then
		return nil, DESEGMENT_ONE_MORE_SEGMENT
	end
	local size = HEADER + range(2, 2):uint()
	if range:len() < size then
		return nil, size - range:len()
	end
	local item, m = show_message(range(0, size), pinfo, tree, connection)
	local begun = stage_at(way, pinfo.number, at).at
	if m.anew then
		way.anew = at + size
	end
	if (begun ~= 0 and begun ~= way.anew) == (m.first or false) and range(0, 1):uint() ~= 0xff then
		item:add_proto_expert_info(e.turn, types[range(0, 1):uint()] .. " out of turn")
	end
	local count = UInt64(0)
	if range(0, 1):uint() == 0x05 then
		count = connection.c2s
	elseif range(0, 1):uint() == 0x84 then
		count = connection.s2c
	end
	enter(way, pinfo, at + size, m.next, count)
	return size
end

function piece.record(range, pinfo, tree, connection, way, at)
	if range:len() < 2 then
		return nil, DESEGMENT_ONE_MORE_SEGMENT
	end
	local n = range(0, 2):uint()
	if n <= TAG or n > RECORD_MAX then
		enter(way, pinfo, at, "nothing", nil, "a control record of " .. n .. " bytes")
		return piece.nothing(range, pinfo, tree, connection, way, at)
	end
	if range:len() < 2 + n then
		return nil, 2 + n - range:len()
	end
	local key = pinfo.number .. ":" .. at
	if not pinfo.visited then
		way.number[key] = way.records
		way.records = way.records + 1
	end
	local top = tree:add(mifcont, range(0, 2 + n), "Control record")
	local item = top:add(f.record, range(0, 2 + n))
	item:add(f.record_length, range(0, 2))
	item:add(f.record_sealed, range(2, n))
	if way.number[key] then
		item:add(f.record_number, way.number[key]):set_generated()
	end
	local fits = frames[n - TAG]
	top:append_text(" (" .. n .. " bytes, sealed" .. (fits and ", as long as " .. fits or "") .. ")")
	pinfo.cols.info:append((connection.shown and ", " or "") .. "record " .. n)
	connection.shown = true
	return 2 + n
end

function piece.stream(range, pinfo, tree, connection, way, at)
	local s = stage_at(way, pinfo.number, at)
	local item = tree:add(mifcont, range, "Stream, " .. range:len() .. " bytes")
	item:add(f.stream, range)
	if s.count then
		-- TCP's numbers are of 32 bits.
		local count = s.count + UInt64((at - s.at) % 4294967296)
		item:add(f.stream_count, count):set_generated()
		item:append_text(" from " .. tostring(count))
	end
	item:add(f.connection, "data"):set_generated()
	pinfo.cols.info:append((connection.shown and ", " or "") .. "stream " .. range:len())
	connection.shown = true
	return range:len()
end

-- --- the dissector ---

function mifcont.dissector(tvb, pinfo, tree)
	local connection, way = direction_of(pinfo)
	local begin, done = position(way, tvb, pinfo), 0
	if not pinfo.visited then
		if way.next and begin > way.next and stage_at(way, pinfo.number, begin).mode ~= "stream" then
			enter(way, pinfo, begin, "unknown")
		end
		way.next = begin + tvb:len()
	end
	if tostring(pinfo.cols.protocol) ~= "MIFCONT" then
		pinfo.cols.protocol = "MIFCONT"
		pinfo.cols.info = ""
		connection.shown = false
	end
	while done < tvb:len() do
		local stage = stage_at(way, pinfo.number, begin + done)
		local used, more = piece[stage.mode](tvb(done), pinfo, tree, connection, way, begin + done)
		if used then
			done = done + used
		elseif pinfo.can_desegment > 0 then
			pinfo.desegment_offset = done
			pinfo.desegment_len = more
			if not pinfo.visited then
				way.wanted = begin + done
			end
			return tvb:len()
		else
			tree:add(mifcont, tvb(done), "Cut short"):add_proto_expert_info(e.cut, "The rest is not here")
			enter(way, pinfo, begin + done, "unknown")
			return tvb:len()
		end
	end
	return tvb:len()
end

local ports = DissectorTable.get("tcp.port")
local port = mifcont.prefs.port

ports:add(port, mifcont)

function mifcont.prefs_changed()
	if port ~= mifcont.prefs.port then
		ports:remove(port, mifcont)
		port = mifcont.prefs.port
		ports:add(port, mifcont)
	end
end
