-- Asks wxgate whose a request is, with what HAProxy 2.5 and later bring: no other Lua is needed.

local AUTHORIZE = "http://127.0.0.1:8080/authorize"
-- The identity headers of [identity]; each becomes a variable, txn.x_wx_openid and so on.
local IDENTITY = {
    "x-wx-openid", "x-wx-unionid", "x-wx-appid", "x-wx-source", "x-wx-call-id", "x-wx-env",
    "x-wx-assertion",
}
-- Where a token may stand (token_from of [session]), and what HAProxy itself has written.
local ASKED = { "authorization", "x-wx-skey", "cookie", "host", "x-request-id" }

local function refuse(txn, status, headers, body)
    local reply = txn:reply()
    reply:set_status(status)
    for name, value in pairs(headers) do
        reply:add_header(name, value)
    end
    reply:set_body(body)
    txn:done(reply)
end

local function first(headers, name)
    local values = headers and headers[name]
    return values and values[0]
end

core.register_action("wxgate_authorize", { "http-req" }, function(txn)
    local sent = txn.http:req_get_headers()
    local headers = { ["x-forwarded-for"] = { txn.f:src() } }
    for _, name in ipairs(ASKED) do
        if sent[name] then
            -- All of them: of two tokens wxgate says that they are two.
            headers[name] = {}
            for index = 0, #sent[name] do
                table.insert(headers[name], sent[name][index])
            end
        end
    end
    local answer = core.httpclient():get({ url = AUTHORIZE, headers = headers, timeout = 1000 })
    local status = answer and answer.status
    if status == 200 then
        for _, name in ipairs(IDENTITY) do
            txn:set_var("txn." .. name:gsub("-", "_"), first(answer.headers, name) or "")
        end
    elseif status and status >= 400 then
        -- wxgate's own words: its status, its body, and when to come again.
        local passed = {}
        for _, name in ipairs({ "content-type", "www-authenticate", "retry-after", "x-request-id" }) do
            passed[name] = first(answer.headers, name)
        end
        refuse(txn, status, passed, answer.body or "")
    else
        -- Without an answer nobody passes.
        refuse(txn, 503, { ["retry-after"] = "2" }, "")
    end
end, 0)
