//! `memctl completions`: a script that makes a shell complete verbs and flags.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::failure::Result;

const HELP: &str = "\
Examples
  memctl completions bash > ~/.local/share/bash-completion/completions/memctl
  memctl completions fish > ~/.config/fish/completions/memctl.fish
  memctl completions zsh > ~/.zfunc/_memctl    a directory of $fpath
";

/// Print a completion script for a shell
///
/// `make install` puts those of bash, zsh and fish in their places.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The shell
    shell: Shell,
}

pub fn run(args: &Args) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "memctl", &mut script);
    super::print(&String::from_utf8_lossy(&script))
}
