/**
 * Copies of requests. HAProxy sends no request twice, but it runs Lua: a filter that reads along as a request passes, which
 * delays nothing, and sends it once more when all of it was there. The copy comes in again by a socket of the proxy's own, so that
 * its servers are those of a leaf like any other. Source: HAProxy 2.6 Lua API, classes Filter, HTTPMessage and Socket.
 */
import type { ProxyFilter } from '../../../contracts/objects/proxy-config.ts';
import type { ConfigLine, RuleName } from './plan.ts';
import { RefusedRule } from './refused-rule.ts';

export type Mirror = Extract<ProxyFilter, { readonly type: 'mirror' }>;

export const MIRROR_FILE = 'mirror.lua';
const SOCKET = 'abns@plumbline-mirrors';
const HEADER = 'x-plumbline-mirror';

/** Lines of a leaf; `to` is the leaf of the copies, `nth` its place among the leaf's mirrors. */
export function mirrorLines({ numerator, denominator }: Mirror, to: string, nth: number): string[] {
  if (![numerator, denominator].every(Number.isInteger) || numerator < 0 || denominator < 1)
    throw new RefusedRule(`${numerator} of ${denominator} requests cannot be mirrored`);
  if (numerator === 0) return [];
  if (numerator >= denominator) return [`  filter lua.plumbline-mirror ${to}`];
  const drawn = `txn.m${nth}`;
  return [
    `  http-request set-var(${drawn}) bool(true) if { rand(${denominator}) lt ${numerator} }`,
    `  filter lua.plumbline-mirror ${to} ${drawn}`,
  ];
}

/** Sections that the lines of all mirrors need, before those. A proxy without Lua refuses them, and so the rules. */
export function mirrorSections(of: readonly RuleName[]): ConfigLine[] {
  return [
    'global',
    `  lua-load ${MIRROR_FILE}`,
    'frontend mirrors',
    '  mode http',
    `  bind ${SOCKET}`,
    `  http-request set-var(txn.r) req.hdr(${HEADER})`,
    `  http-request del-header ${HEADER}`,
    '  use_backend %[var(txn.r)] if { var(txn.r) -m found }',
    '  default_backend none',
  ].map((text) => ({ text, of }));
}

/** Longest body that is copied, and what copies under way to one leaf, and all together, may hold, in bytes. */
const MOST_BODY = 256 * 1024;
const MOST_HELD_OF_ONE = 8 * 2 ** 20;
const MOST_HELD = 32 * 2 ** 20;
/** Copies under way at a time, to one leaf and to all, seconds until a server's silence ends one, and KiB of an answer that are waited for. */
const MOST_AT_ONCE_OF_ONE = 64;
const MOST_AT_ONCE = 256;
const SILENCE = 60;
const MOST_ANSWER = 1024;

/** What is over a bound is not mirrored: the request itself never waits for its copy, and never fails for it. */
export const MIRROR_SCRIPT = `
local all, each = { at_once = 0, held = 0 }, {}

local function count(to, copies, bytes)
  local one = each[to] or { at_once = 0, held = 0 }
  each[to] = one
  for _, counts in ipairs({ all, one }) do
    counts.at_once, counts.held = counts.at_once + copies, counts.held + bytes
  end
end

local function is_busy(to)
  return all.at_once >= ${MOST_AT_ONCE} or each[to] and each[to].at_once >= ${MOST_AT_ONCE_OF_ONE}
end

local function is_full(to)
  return all.held > ${MOST_HELD} or each[to].held > ${MOST_HELD_OF_ONE}
end

local function send(to, text)
  local socket = core.tcp()
  socket:settimeout(${SILENCE})
  if socket:connect("${SOCKET}") and socket:send(text) then
    for _ = 1, ${MOST_ANSWER} do
      if socket:receive(1024) == nil then break end
    end
  end
  socket:close()
  count(to, -1, -#text)
end

local LEFT_OUT = {
  connection = true, ["content-length"] = true, expect = true, ["keep-alive"] = true,
  ["proxy-connection"] = true, ["transfer-encoding"] = true, ["${HEADER}"] = true,
}

local Mirror = { id = "plumbline mirror", flags = filter.FLT_CFG_FL_HTX }
Mirror.__index = Mirror
-- Also of a request that never ended.
Mirror.__gc = function(self) if self.length > 0 then count(self.to, 0, -self.length) end end

function Mirror:new()
  return setmetatable({ to = self.to, drawn = self.drawn, length = 0 }, Mirror)
end

function Mirror:http_headers(txn, message)
  if message.channel:is_resp() or (self.drawn and not txn:get_var(self.drawn)) then return end
  local line, headers = message:get_stline(), message:get_headers()
  if is_busy(self.to) or line.method == "CONNECT" or headers.upgrade then return end
  local path = line.uri:gsub("^%a[%w+.-]*://[^/?]*", "")
  if path:sub(1, 1) == "?" or path == "" then path = "/" .. path end
  local head = { line.method .. " " .. path .. " HTTP/1.1", "${HEADER}: " .. self.to, "connection: close" }
  for name, values in pairs(headers) do
    local at = 0
    while values[at] and not LEFT_OUT[name] do
      head[#head + 1] = name .. ": " .. values[at]
      at = at + 1
    end
  end
  if headers["content-length"] or headers["transfer-encoding"] then self.has_body = true end
  self.head, self.parts = head, {}
  filter.register_data_filter(self, message.channel)
end

local function give_up(self)
  count(self.to, 0, -self.length)
  self.head, self.parts, self.length = nil, nil, 0
end

function Mirror:http_payload(txn, message)
  if self.head == nil or message.channel:is_resp() then return end
  local data = message:body()
  if data == nil then return end
  self.length = self.length + #data
  count(self.to, 0, #data)
  if self.length > ${MOST_BODY} or is_full(self.to) then return give_up(self) end
  self.parts[#self.parts + 1] = data
end

function Mirror:http_end(txn, message)
  if self.head == nil or message.channel:is_resp() then return end
  local head, body = self.head, table.concat(self.parts)
  give_up(self)
  if is_busy(self.to) then return end
  if #body > 0 or self.has_body then head[#head + 1] = "content-length: " .. #body end
  local text = table.concat(head, "\\r\\n") .. "\\r\\n\\r\\n" .. body
  local to = self.to
  count(to, 1, #text)
  core.register_task(function() send(to, text) end)
end

core.register_filter("plumbline-mirror", Mirror, function(one, args)
  one.to, one.drawn, one.length = args[1], args[2], 0
  return one
end)
`.trimStart();
