//! `memctl completions`: a script that completes commands, options, ids and names in a shell.

use clap::builder::PossibleValuesParser;
use clap_complete::env::Shells;

use super::candidates::VARIABLE;
use crate::failure::{Context, Result};

const NAME: &str = "memctl";

const HELP: &str = "\
Examples
  memctl completions bash    For ~/.local/share/bash-completion/completions/memctl
  memctl completions fish    For ~/.config/fish/completions/memctl.fish
  memctl completions zsh     For a file _memctl in a directory of $fpath
";

/// Print a shell completion script
///
/// `make install` installs the scripts for bash, zsh and fish. A script asks memctl for ids, sessions,
/// projects, settings and keys when it completes them. Print it again after an update of memctl.
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Shell to complete for
    #[arg(value_parser = PossibleValuesParser::new(Shells::builtins().names()))]
    shell: String,
}

pub fn run(args: &Args) -> Result<()> {
    let shells = Shells::builtins();
    let shell = shells.completer(&args.shell).expect("clap accepts only known shells");
    let mut script = Vec::new();
    let written = shell.write_registration(VARIABLE, NAME, NAME, NAME, &mut script);
    written.context("cannot write the script")?;
    super::print(&String::from_utf8_lossy(&script))
}
