-- Tells wrk what to send (the argument after "--") and prints the figures in one line that load.py reads.
function init(arguments)
  if arguments[1] == "post" then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.body = arguments[2]
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "\nFIGURES %d %d %f %f %d %d\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
