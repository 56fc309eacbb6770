//! `memctl man`: man pages, generated from the help texts.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::help::{self, Line};
use crate::failure::{Context, Result, usage};

const HELP: &str = "\
Examples
  memctl man | man -l -                       Read the page
  memctl man --dir /usr/local/share/man/man1  Install all pages
";

/// Print the man page, or write one page per command
#[derive(clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// Write memctl.1, memctl-ps.1 and so on to this existing directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    let mut command = super::Cli::command();
    command.build();
    let Some(dir) = &args.dir else {
        return super::print(&page(&command));
    };
    if !dir.is_dir() {
        return Err(usage(format!("{} is no directory", dir.display())));
    }
    for command in std::iter::once(&command).chain(command.get_subcommands()) {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        let file = dir.join(format!("{name}.1"));
        let written = fs::write(&file, page(command));
        // The umask makes files private. Man pages are for every user.
        let written =
            written.and_then(|()| fs::set_permissions(&file, Permissions::from_mode(0o644)));
        written
            .context(format!("cannot write {}", file.display()))
            .map_err(|e| e.hint("the directory must exist"))?;
    }
    Ok(())
}

/// Renders one page. The lower part of the help becomes sections.
fn page(command: &Command) -> String {
    let lower = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let man = Man::new(command.clone()).source(concat!("memctl ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    let mut write = || {
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        if command.get_arguments().any(|a| !a.is_hide_set()) {
            man.render_options_section(&mut page)?;
        }
        if command.has_subcommands() {
            man.render_subcommands_section(&mut page)?;
        }
        page.extend(sections(&lower).into_bytes());
        if command.get_name() != "memctl" {
            let mut more = Roff::new();
            more.control("SH", ["SEE ALSO"]).text([bold("memctl"), roman("(1)")]);
            more.to_writer(&mut page)?;
        }
        std::io::Result::Ok(())
    };
    write().expect("writes to memory succeed");
    String::from_utf8_lossy(&page).into_owned()
}

/// Turns headings into sections and items into tagged paragraphs.
fn sections(text: &str) -> String {
    let mut roff = Roff::new();
    for line in help::lines(text) {
        match line {
            Line::Gap => {}
            Line::Heading(text) => {
                roff.control("SH", [text.to_uppercase().as_str()]);
            }
            Line::Item { term, text, .. } => {
                roff.control("TP", []).text([bold(term)]);
                if !text.is_empty() {
                    roff.text([roman(text)]);
                }
            }
        }
    }
    roff.render()
}
