//! The MCP server: `memctl mcp` answers a client's model over stdin and stdout.
//!
//! ```text
//! client ── a line ── transport ── rmcp ── server ── tools::Call ── place ── answers ── a text
//! ```
//!
//! Only this module knows rmcp. What a tool does is the same as what the command of its name does, and
//! most of it is the command's code. Two things differ, because the reader is a model:
//!
//! - The project is that of the client's roots or of an argument, never that of the working directory.
//! - Texts pass `text`: what third parties wrote is marked, and what reads like an instruction is
//!   withheld.

mod answers;
mod place;
mod resources;
mod roots;
mod server;
mod text;
mod tools;
mod transport;

use rmcp::service::{QuitReason, ServerInitializeError, serve_server};

use crate::failure::{Context, Result, failed};
use crate::process;

/// How many calls run at the same time. The others wait.
const MAX_CALLS: usize = 2;

/// Serves until the client closes stdin. stdout has nothing but the protocol.
///
/// # Errors
/// If the client does not begin with `initialize`, or if the server cannot start.
pub fn serve() -> Result<()> {
    process::share_heap();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().max_blocking_threads(MAX_CALLS).build();
    runtime.context("cannot start")?.block_on(async {
        let transport = transport::Stdio::start().context("cannot start")?;
        let running = match serve_server(server::Server::default(), transport).await {
            Ok(running) => running,
            // A client that only looks whether the program exists.
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(e) => return Err(failed(format!("no MCP client at stdin: {e}"))),
        };
        match running.waiting().await.context("the server has ended")? {
            QuitReason::JoinError(e) => Err(failed(format!("the server has ended: {e}"))),
            _ => Ok(()),
        }
    })
}
