-- Requests of so many visitors as X-Visitors says, in turn, each with a cookie of
-- their own.
local requests, last = {}, 0

function init()
	local visitors = tonumber(wrk.headers["X-Visitors"])
	wrk.headers["X-Visitors"] = nil
	for i = 1, visitors do
		wrk.headers["Cookie"] = "visitor=" .. i
		requests[i] = wrk.format()
	end
end

function request()
	last = last % #requests + 1
	return requests[last]
end
