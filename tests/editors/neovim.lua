-- Drives a real Neovim through a session: run by tests/tests/language_server/editors.rs in a small project.

local function fail(what, found)
  io.stderr:write("failed: " .. what .. ": " .. vim.inspect(found) .. "\n")
  vim.cmd("cquit 1")
end

local function check(what, holds, found)
  if not holds then
    fail(what, found)
  end
  io.stdout:write("ok: " .. what .. "\n")
end

-- Waits until something holds, letting messages in.
local function await(what, holds)
  local done = vim.wait(60000, holds, 20)
  check(what, done, vim.diagnostic.get(0))
end

local zester = dofile(os.getenv("ZESTER_LUA"))
local attached = false
zester.setup({
  cmd = { os.getenv("ZESTER"), "lsp" },
  on_attach = function()
    attached = true
  end,
})
vim.cmd("filetype on")
vim.cmd("edit! states/web.zy")
vim.cmd("setfiletype zester")
await("the server attaches", function()
  return attached
end)
local buffer = vim.api.nvim_get_current_buf()

local function line(number)
  return vim.api.nvim_buf_get_lines(buffer, number - 1, number, false)[1]
end

local function find(needle)
  for number, text in ipairs(vim.api.nvim_buf_get_lines(buffer, 0, -1, false)) do
    local at = text:find(needle, 1, true)
    if at then
      return number, at - 1
    end
  end
  fail("a line with " .. needle, vim.api.nvim_buf_get_lines(buffer, 0, -1, false))
end

local function ask(method, more)
  local params = vim.tbl_extend("force", vim.lsp.util.make_position_params(0, "utf-16"), more or {})
  local answers = vim.lsp.buf_request_sync(buffer, method, params, 20000) or {}
  for _, answer in pairs(answers) do
    if answer.result then
      return answer.result
    end
  end
end

local function shown(code)
  for _, found in ipairs(vim.diagnostic.get(buffer)) do
    local lsp = found.user_data and found.user_data.lsp or {}
    if found.code == code or lsp.code == code then
      return true
    end
  end
  return false
end

-- Diagnostics.
await("the half-typed parameter is shown", function()
  return shown("Z0218")
end)

-- Completion, as typing a word does: the likeliest first.
local number = find("- en")
vim.api.nvim_win_set_cursor(0, { number, #line(number) })
local list = ask("textDocument/completion")
local items = list.items or list
table.sort(items, function(a, b)
  return (a.sortText or a.label) < (b.sortText or b.label)
end)
check("enable is offered first", items[1] and items[1].label == "enable", items[1])
vim.lsp.util.apply_text_edits({ items[1].textEdit }, buffer, "utf-16")
vim.api.nvim_buf_set_text(buffer, number - 1, #line(number), number - 1, #line(number), { "true" })
check("the completion is applied", line(number) == "    - enable: true" or line(number):find("enable", 1, true), line(number))
vim.api.nvim_buf_set_lines(buffer, number - 1, number, false, { "    - enable: true" })

await("the misspelt requisite is shown", function()
  return shown("Z0301")
end)

-- Hover.
local row, column = find("service.running")
vim.api.nvim_win_set_cursor(0, { row, column + 9 })
local hover = ask("textDocument/hover")
check("the hover shows the signature", hover.contents.value:find("service.running", 1, true), hover)

-- The requisite is repaired, and the finding goes.
row, column = find("nginxx")
vim.api.nvim_buf_set_text(buffer, row - 1, column, row - 1, column + 6, { "nginx" })
await("the finding goes when the text is right", function()
  return #vim.diagnostic.get(buffer, { severity = vim.diagnostic.severity.ERROR }) == 0
end)

-- Jump, by Neovim's own command.
row, column = find("- common")
vim.api.nvim_win_set_cursor(0, { row, column + 3 })
vim.cmd("set hidden")
vim.lsp.buf.definition()
await("the jump goes to the included file", function()
  return vim.api.nvim_buf_get_name(0):match("states/common%.zy$") ~= nil
end)
vim.cmd("buffer " .. buffer)

-- Rename, by Neovim's own command, across files.
row, column = find("settings.motd")
vim.api.nvim_win_set_cursor(0, { row, column + 10 })
vim.lsp.buf.rename("welcome")
await("the rename reaches this file", function()
  return line(row):find("settings.welcome", 1, true) ~= nil
end)
await("the rename reaches the settings file", function()
  for _, other in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_get_name(other):match("settings/site%.zy$") then
      return vim.api.nvim_buf_get_lines(other, 0, 1, false)[1] == "welcome: hello"
    end
  end
  return false
end)

-- Formatting, by Neovim's own command.
local formats = false
for _, client in ipairs(vim.lsp.get_active_clients()) do
  local can = client.server_capabilities or {}
  formats = formats or can.documentFormattingProvider or can.document_formatting
end
if not formats then
  io.stdout:write("all done\n")
  vim.cmd("qall!")
  return
end
vim.api.nvim_buf_set_lines(buffer, -1, -1, false, { "extra:   ", "    test.nop: []" })
if vim.lsp.buf.format then
  vim.lsp.buf.format({ timeout_ms = 20000 })
else
  vim.lsp.buf.formatting_sync(nil, 20000)
end
local last = vim.api.nvim_buf_get_lines(buffer, -3, -1, false)
check("the file is formatted", table.concat(last, "\n"):find("extra:\n  test.nop: []", 1, true), last)

io.stdout:write("all done\n")
vim.cmd("qall!")
