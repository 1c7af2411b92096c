-- Makes wrk's requests: uploads of 16 KiB files, each with a new name, or downloads of the uploaded files in turn.
-- Arguments: "up" or "down"; the path before the name; the number of the last file (down only); the form's field and
-- path (up only, for a server that expects a form).
local threads = {}
local boundary = "a-boundary-that-no-content-has"
local content = string.rep("0123456789abcdef", 1024)

function setup(thread)
  thread:set("id", #threads + 1)
  table.insert(threads, thread)
end

function init(arguments)
  direction, path, last, field, form = unpack(arguments)
  last = tonumber(last)
  count = 0
end

function request()
  count = count + 1
  if direction == "down" then
    -- The first file is left out, because wrk calls this function once beforehand and never sends that request.
    return wrk.format("GET", path .. "small-" .. id .. "-" .. (count % (last - 1) + 2))
  end
  local name = "small-" .. id .. "-" .. count
  if not field then
    return wrk.format("PUT", path .. name, nil, content)
  end
  local head = 'Content-Disposition: form-data; name="' .. field .. '"; filename="' .. name .. '"'
  local body = "--" .. boundary .. "\r\n" .. head .. "\r\n\r\n" .. content .. "\r\n--" .. boundary .. "--\r\n"
  local headers = { ["Content-Type"] = "multipart/form-data; boundary=" .. boundary }
  return wrk.format("POST", (form:gsub("{name}", name)), headers, body)
end

function done(summary, _, _)
  local sent = math.huge
  for _, thread in ipairs(threads) do
    sent = math.min(sent, thread:get("count"))
  end
  local errors = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %f, "refused": %d, "broken": %d, "sent": %d}\n',
    summary.requests, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, sent))
end
