-- wrk: DEPTH requests in each write, for pages whose names tell them apart.
local DEPTH = 8
local whole

function init()
   local requests = {}
   for number = 1, DEPTH do
      requests[number] = wrk.format("GET", "/page?" .. number)
   end
   whole = table.concat(requests)
end

function request()
   return whole
end

function done(summary)
   local errors = summary.errors
   io.write(string.format("answers %d, not 200 %d, connect %d, read %d, write %d, time-outs %d\n",
      summary.requests, errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
