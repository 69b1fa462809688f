//! A real editor: Neovim without a screen attaches to `imm lsp`, by the API that versions since 0.7 have.

use crate::harness::editor::expect_said;
use std::process::Command;

const SCRIPT: &str = r#"
local function fail(text) io.stderr:write(text .. "\n") vim.cmd("cquit") end
local function wait(what, done) if not vim.wait(60000, done, 20) then fail("no " .. what) end end
vim.cmd("edit main.imm")
vim.bo.filetype = "imm"
local buffer = vim.api.nvim_get_current_buf()
local id = vim.lsp.start_client({ name = "imm", cmd = { vim.env.IMM, "lsp" }, root_dir = vim.fn.getcwd() })
vim.lsp.buf_attach_client(buffer, id)
wait("client", function() local c = vim.lsp.get_client_by_id(id) return c and c.initialized end)
local client = vim.lsp.get_client_by_id(id)
local function text() return table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), "\n") .. "\n" end
local function ask(method, params)
  local answer = client.request_sync(method, params, 60000, buffer)
  if not answer or answer.err then fail(method .. " " .. vim.inspect(answer)) end
  return answer.result
end
local function here(line, column)
  vim.api.nvim_win_set_cursor(0, { line, column })
  return vim.lsp.util.make_position_params(0, client.offset_encoding)
end

-- A diagnostic.
wait("diagnostics", function() return #vim.diagnostic.get(buffer) > 0 end)
print("diagnostic: " .. vim.diagnostic.get(buffer)[1].code .. " " .. vim.diagnostic.get(buffer)[1].lnum)

-- Completion of a field, taken into the text.
vim.api.nvim_buf_set_lines(buffer, 1, 2, false, { "  si" })
local found = ask("textDocument/completion", here(2, 4))
local item = found.items[1]
print("completion: " .. item.label)
vim.lsp.util.apply_text_edits({ item.textEdit }, buffer, client.offset_encoding)
vim.api.nvim_buf_set_lines(buffer, 1, 2, false, { "  size = 1GiB" })
wait("peace", function() return #vim.diagnostic.get(buffer) == 0 end)

-- Rename.
local params = here(1, 8)
params.newName = "storage"
vim.lsp.util.apply_workspace_edit(ask("textDocument/rename", params), client.offset_encoding)
print("renamed: " .. tostring(text():find("durable storage = volume", 1, true) ~= nil and text():find("storage.path", 1, true) ~= nil))

-- Format.
vim.api.nvim_buf_set_lines(buffer, 1, 2, false, { "      size=1GiB" })
local edits = ask("textDocument/formatting", { textDocument = vim.lsp.util.make_text_document_params(buffer), options = { tabSize = 2, insertSpaces = true } })
vim.lsp.util.apply_text_edits(edits, buffer, client.offset_encoding)
print("formatted: " .. vim.api.nvim_buf_get_lines(buffer, 1, 2, false)[1])
client.stop()
vim.cmd("qall!")
"#;

#[test]
fn neovim_shows_completes_renames_and_formats() {
    if Command::new("nvim").arg("--version").output().is_err() {
        eprintln!("skipped: there is no nvim (package neovim)");
        return;
    }
    let mut nvim = Command::new("nvim");
    nvim.args(["--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", "luafile script.lua"]);
    let lines = ["diagnostic: unknown-field 1", "completion: size", "renamed: true", "formatted:   size = 1GiB"];
    expect_said(&mut nvim, ("script.lua", SCRIPT), &lines);
}
