//! The program's own help, and the lower part of every long help (examples, JSON keys), laid out
//! for the terminal.
//!
//! A verb writes it as plain text: a line without blanks before it is a heading, any other is an
//! item, whose text begins after the first two blanks inside it and hangs there.

use clap::Command;

use super::style::{HEAD, paint};
use super::terminal::{READABLE, wrapped};

/// Below the short help of the program.
pub const AFTER: &str =
    "Run `memctl` alone to see whether it works. Agents' hooks run `memctl hook`.";

/// Below the long one.
pub const PROGRAM: &str = "\
Start here
  memctl            whether it works, and what to do next
  memctl context    what the next session in this directory is told
  memctl status     what is remembered, what waits, what went wrong
  memctl doctor     everything that may be wrong, and what to do

Files
  ~/.local/share/memctl         the memory, spooled events, logs: MEMCTL_DATA_DIR
  ~/.config/memctl/config.toml  settings, only those you changed: MEMCTL_CONFIG
  ~/.config/memctl/secrets.toml API keys, beside it
  /tmp/memctl-*.sock            sockets of running workers: MEMCTL_SOCKET_DIR

Environment
  MEMCTL_SECTION_KEY        a time or size of the settings, as MEMCTL_WORKER_LINGER=10s
  NO_COLOR, CLICOLOR_FORCE  never, or always, colours
  COLUMNS                   width of the terminal

Exit codes
  0  done
  1  it could not be done
  2  the words of the command make no sense
";

/// What is asked of one who reports a bug.
pub const BUILD: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("MEMCTL_COMMIT"),
    ")\nbuild: ",
    env!("MEMCTL_PROFILE"),
    " for ",
    env!("MEMCTL_TARGET"),
);

/// Lays out the help of each verb for so wide a terminal.
pub fn fitted(command: Command, width: Option<usize>) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let command = names
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, |verb| fitted(verb, width)));
    match command.get_after_long_help().map(ToString::to_string) {
        Some(text) => command.after_long_help(laid_out(&text, width)),
        None => command,
    }
}

/// A line of such a text.
pub enum Line<'a> {
    Gap,
    Heading(&'a str),
    /// `indent` is the column of the text; an item may be nothing but its term.
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
        let (term, text) = item.split_once("  ").unwrap_or((item, ""));
        let text = text.trim_start();
        Line::Item { term, text, indent: line.len() - text.len() }
    })
}

fn laid_out(text: &str, width: Option<usize>) -> String {
    // As wide as the rest of a help is in a pipe.
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
                let first = format!("{:indent$}", format!("  {term}"));
                out.push_str(&wrapped(&first, indent, text, width));
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
    fn items_hang_and_headings_stand_out() {
        let check = |width, want: &str| {
            let text = laid_out("Keys\n  ps   one two three four five six\n  plain\n", width);
            assert_eq!(anstream::adapter::strip_str(&text).to_string(), want);
        };
        check(None, "Keys:\n  ps   one two three four five six\n  plain");
        check(Some(27), "Keys:\n  ps   one two three four\n       five six\n  plain");
    }
}
