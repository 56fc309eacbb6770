//! Help text of the program, and the layout of the lower part of every long help (examples, JSON
//! keys).
//!
//! A verb writes that part as plain text. A line without leading blanks is a heading. Any other
//! line is an item: a term, two or more blanks, and a text that is wrapped at its own column.

use std::ffi::{OsStr, OsString};

use clap::error::ErrorKind;
use clap::{ArgMatches, Command};

use super::style::{HEAD, paint};
use super::terminal::{READABLE, wrapped};

/// Lower part of `memctl -h`.
pub const AFTER: &str = "Run `memctl` without arguments to see whether it works.";

/// Lower part of `memctl --help`.
pub const PROGRAM: &str = "\
Examples
  memctl            Check that it works and show the next step
  memctl help ps    Explain a command
  memctl context    Print what the next session in this directory receives
  memctl status     Show what is stored and what needs attention
  memctl doctor     Run every check

Files
  ~/.local/share/memctl          Database, spool and logs
  ~/.config/memctl/config.toml   Settings that you changed
  ~/.config/memctl/secrets.toml  API keys
  ~/.local/state/memctl          State of `memctl pause`, last valid exclude list
  /tmp/memctl-*.sock             Sockets of running workers

Environment
  MEMCTL_DATA_DIR     Directory of the database, the spool and the logs; absolute, and outside of \
the repository
  MEMCTL_CONFIG       Path of another config file for times, sizes and the context
  MEMCTL_DISABLE      1: record nothing and give sessions no context
  MEMCTL_SOCKET_DIR   Directory of the sockets; absolute, and outside of the repository
  MEMCTL_SECTION_KEY  A time or a size from the settings, e.g. MEMCTL_WORKER_LINGER=10s
  NO_COLOR            Disable colors
  CLICOLOR_FORCE      Use colors even in a pipe
  COLUMNS             Width of the output

Exit codes
  0  Success; also a list without entries
  1  Failure; also nothing found by this name or these words
  2  Invalid arguments; also a file or directory that cannot be read
";

/// Print help for memctl or for a command
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The command; without it, print help for memctl
    #[arg(value_name = "COMMAND")]
    command: Vec<OsString>,
}

const HELP: &str = "\
Examples
  memctl help               List all commands
  memctl help queue         Explain a command; the same as `memctl queue --help`
  memctl help config set    Explain a command of a command
";

impl Args {
    /// The arguments that print the same help.
    pub fn as_option(&self) -> Vec<OsString> {
        self.command.iter().cloned().chain([OsString::from("--help")]).collect()
    }
}

/// Text of `--version`: what a bug report needs.
pub const BUILD: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("MEMCTL_COMMIT"),
    ")\nbuild: ",
    env!("MEMCTL_PROFILE"),
    " for ",
    env!("MEMCTL_TARGET"),
);

/// The groups of the list of commands. Each begins with this command, in the order of the declaration.
const GROUPS: [(&str, &str); 6] = [
    ("search", "Find and read"),
    ("remember", "Change what is remembered"),
    ("pause", "Sessions and projects"),
    ("status", "Look after it"),
    ("import", "Import, export, backup"),
    ("mcp", "Other programs"),
];

/// Parses the arguments. Only if they ask for help, its text is laid out for a terminal of this width.
///
/// # Errors
/// As [`Command::try_get_matches_from`]: the help, the version, or what is wrong with the arguments.
pub fn parse(
    command: fn() -> Command,
    args: &[&OsStr],
    width: Option<usize>,
) -> Result<ArgMatches, clap::Error> {
    let parsed = command().try_get_matches_from(args);
    match parsed.as_ref().map_err(clap::Error::kind) {
        Err(ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) => {
            grouped(fitted(command(), width), width).try_get_matches_from(args)
        }
        _ => parsed,
    }
}

/// Lists the commands in groups.
fn grouped(command: Command, width: Option<usize>) -> Command {
    let width = width.or(Some(READABLE));
    let names = command.get_subcommands().map(|verb| verb.get_name().len());
    let indent = names.max().unwrap_or_default() + 4;
    let mut list = String::new();
    for verb in command.get_subcommands() {
        let name = verb.get_name();
        if let Some((_, group)) = GROUPS.iter().find(|(first, _)| *first == name) {
            let gap = if list.is_empty() { "" } else { "\n" };
            list.push_str(&format!("{gap}{}\n", paint(&format!("{group}:"), HEAD.underline())));
        }
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        let painted = paint(name, HEAD);
        let first = format!("  {painted}{}", " ".repeat(indent - 2 - name.len()));
        list.push_str(&wrapped(&first, indent, &about, width));
    }
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}\n{}\n{{options}}{{after-help}}",
        paint("Options:", HEAD.underline())
    ))
}

/// Lays out the long help of a command and its subcommands for a terminal of this width.
fn fitted(command: Command, width: Option<usize>) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let command = names
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, |verb| fitted(verb, width)));
    match command.get_after_long_help().map(ToString::to_string) {
        Some(text) => command.after_long_help(laid_out(&text, width)),
        None => command,
    }
}

/// A line of a long help.
pub enum Line<'a> {
    Gap,
    Heading(&'a str),
    /// `indent` is the column of the text. The text may be empty.
    Item {
        term: &'a str,
        text: &'a str,
        indent: usize,
    },
}

pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().map(|line| {
        let item = line.trim_start();
        if item.is_empty() {
            return Line::Gap;
        }
        if item.len() == line.len() {
            return Line::Heading(item);
        }
        debug_assert_eq!(line.len() - item.len(), 2, "a text is one line: {line}");
        let (term, text) = item.split_once("  ").unwrap_or((item, ""));
        let text = text.trim_start();
        Line::Item { term, text, indent: line.len() - text.len() }
    })
}

/// If fewer columns are left for a text, it stands below its term, at this column.
const MIN_TEXT: usize = 30;
const BELOW: usize = 6;

fn laid_out(text: &str, width: Option<usize>) -> String {
    // In a pipe, use the width that clap uses there.
    let width = width.or(Some(READABLE));
    let mut out = String::new();
    for line in lines(text) {
        match line {
            Line::Gap => out.push('\n'),
            Line::Heading(text) => {
                out.push_str(&paint(&format!("{text}:"), HEAD.underline()));
                out.push('\n');
            }
            Line::Item { term, text, indent } => {
                let first = format!("  {term}");
                let narrow = width.is_some_and(|width| width < indent + MIN_TEXT);
                if narrow && !text.is_empty() && indent > BELOW {
                    out.push_str(&format!("{first}\n"));
                    out.push_str(&wrapped(&" ".repeat(BELOW), BELOW, text, width));
                } else {
                    out.push_str(&wrapped(&format!("{first:indent$}"), indent, text, width));
                }
            }
        }
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_wrap_at_their_own_column() {
        let check = |width, want: &str| {
            let text = laid_out("Keys\n  ps   one two three four five six\n  plain\n", width);
            assert_eq!(anstream::adapter::strip_str(&text).to_string(), want);
        };
        check(None, "Keys:\n  ps   one two three four five six\n  plain");
        check(Some(37), "Keys:\n  ps   one two three four five six\n  plain");
        check(Some(27), "Keys:\n  ps\n      one two three four\n      five six\n  plain");
    }
}
