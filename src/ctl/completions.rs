//! `memctl completions`: a script that completes verbs and flags in a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::failure::Result;

const HELP: &str = "\
Examples
  memctl completions bash > ~/.local/share/bash-completion/completions/memctl
  memctl completions fish > ~/.config/fish/completions/memctl.fish
  memctl completions zsh > ~/.zfunc/_memctl    Any directory in $fpath
";

/// Print a shell completion script
///
/// `make install` installs the scripts for bash, zsh and fish.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Shell to complete for
    shell: Shell,
}

pub fn run(args: &Args) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "memctl", &mut script);
    super::print(&String::from_utf8_lossy(&script))
}
