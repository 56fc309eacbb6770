//! `memctl mcp`: the server for a client's model. [`crate::mcp`] answers.

use crate::failure::{Result, failed};

const HELP: &str = "\
Examples
  claude plugin install memctl@memctl    Claude Code starts the server itself
  claude mcp add memctl -- memctl mcp    Add it without the plugin

Tools
  search    Ids and titles of memories that fit a text
  timeline  Ids and titles before and after a memory
  get       The texts of ids
  remember  Store a note of the model for its project
  forget    Forget ids; memctl forget --undo restores them
  feedback  Say that memories are helpful, stale or wrong
  status    What is stored, and whether the project is recorded

Resources
  memctl://summary/s37  A summary; the newest of the project are listed
";

/// Serve the memory to a client's model (MCP)
///
/// A client starts it and talks to it over stdin and stdout. The project is that of the client's roots,
/// or the one that a call names. It ends when the client closes stdin.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args;

pub fn run(serve: fn() -> Result<()>) -> Result<()> {
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return Err(failed("this is for programs: a client starts it and talks to it over stdin")
            .hint("`memctl mcp --help` shows how to add it to a client"));
    }
    serve()
}
