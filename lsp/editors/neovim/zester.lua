-- Zester for Neovim 0.7 and later, without plugins. Put this file into lua/ of your configuration and call
-- require("zester").setup{}; every .zy file then has diagnostics, completion (<C-x><C-o>), hovers (K), jumps (gd),
-- references (gr), renames (<leader>rn), and fixes (<leader>ca).

local M = {}

local function root(path)
  local dir = vim.fn.fnamemodify(path, ":p:h")
  local here = dir
  while true do
    if vim.fn.filereadable(here .. "/zester.yaml") == 1 or vim.fn.isdirectory(here .. "/states") == 1 then
      return here
    end
    local above = vim.fn.fnamemodify(here, ":h")
    if above == here then
      return dir
    end
    here = above
  end
end

local function keys(client, buffer)
  vim.api.nvim_buf_set_option(buffer, "omnifunc", "v:lua.vim.lsp.omnifunc")
  local function map(key, run)
    vim.keymap.set("n", key, run, { buffer = buffer })
  end
  map("K", vim.lsp.buf.hover)
  map("gd", vim.lsp.buf.definition)
  map("gr", vim.lsp.buf.references)
  map("<leader>rn", vim.lsp.buf.rename)
  map("<leader>ca", vim.lsp.buf.code_action)
end

local clients = {}

--- Starts the server for .zy files. `cmd` is the command line, `peel` and `facts` choose whose values are shown,
--- `on_attach` is called with the client and the buffer.
function M.setup(options)
  options = options or {}
  vim.cmd([[autocmd BufRead,BufNewFile *.zy setfiletype zester]])
  vim.api.nvim_create_autocmd("FileType", {
    pattern = "zester",
    callback = function(event)
      vim.bo[event.buf].commentstring = "# %s"
      vim.bo[event.buf].expandtab = true
      vim.bo[event.buf].shiftwidth = 2
      -- Colours of YAML until semantic tokens come.
      vim.bo[event.buf].syntax = "yaml"
      local dir = root(event.file)
      if not clients[dir] then
        clients[dir] = vim.lsp.start_client({
          name = "zester",
          cmd = options.cmd or { "zester", "lsp" },
          root_dir = dir,
          init_options = { peel = options.peel, facts = options.facts },
          settings = { zester = { peel = options.peel, facts = options.facts } },
          on_attach = function(client, buffer)
            keys(client, buffer)
            if options.on_attach then
              options.on_attach(client, buffer)
            end
          end,
          on_exit = function()
            clients[dir] = nil
          end,
        })
      end
      if clients[dir] then
        vim.lsp.buf_attach_client(event.buf, clients[dir])
      end
    end,
  })
end

return M
