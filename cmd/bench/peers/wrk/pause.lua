-- Milliseconds between an answer and the next request of its connection.
function delay()
	return math.random(2, 10)
end
