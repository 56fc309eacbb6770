//! What a session's hooks remember of private text: which turns are entirely private, and hashes of
//! the private phrases of the others.
//!
//! An event of an entirely private turn loses its text. The store would drop it too, but a hook may
//! have to spool the event, and then the text would be on disk until the spool is drained. A phrase
//! that comes back in a later event of its turn is replaced, see [`PrivateWords`].
//!
//! Each line of a file is the id of a private turn, or has the parts `TAB turn TAB hashes`. Phrases
//! last until the next turn begins. The turn of values with digits, such as passwords, is empty: they
//! last until the session ends, because the client still knows them, and so do secrets, see
//! [`KnownSecrets`](super::known_secrets::KnownSecrets). The hook of SessionEnd removes the file. If the data dir cannot be written, it is in the fallback location, like the spool.

use std::io::{self, ErrorKind};

use memctl_proto::{Event, Kind};

use super::private_words::PrivateWords;
use super::{bounded_id, short_hash};
use crate::files::Place;
use crate::paths::Paths;

/// Stands for the turn of a client without turn ids. The turn lasts until the next prompt.
const NO_ID: &str = "-";

/// The turn of values that last until the session ends.
const SESSION: &str = "";

/// The hashes after this are those of secrets.
const SECRETS: &str = "secrets ";

/// A session's private turns and phrases, as they were when its event was read.
#[derive(Debug)]
pub struct PrivateTurns {
    paths: Paths,
    key: String,
    lines: Vec<String>,
}

impl PrivateTurns {
    /// Reads the files of the session `key`. A file that cannot be read counts as missing.
    pub fn read(paths: &Paths, key: &str) -> PrivateTurns {
        PrivateTurns { paths: paths.clone(), key: key.to_owned(), lines: lines(paths, key) }
    }

    /// The private phrases of a turn. `turn` is the turn id of the payload; without one, the phrases of
    /// all turns count.
    pub fn words(&self, turn: Option<&str>) -> PrivateWords {
        let turn = bounded_id(turn).map(|turn| name(Some(&turn)));
        let mut words = PrivateWords::default();
        for (of_turn, hashes) in self.lines.iter().filter_map(|line| phrases(line)) {
            if let Some(secrets) = hashes.strip_prefix(SECRETS) {
                words.secrets.read(secrets);
            } else if of_turn == SESSION
                || of_turn == NO_ID
                || turn.as_ref().is_none_or(|t| t == of_turn)
            {
                words.read(hashes);
            }
        }
        words
    }

    /// Whether a turn is entirely private.
    pub fn is_private(&self, turn: Option<&str>) -> bool {
        self.lines.contains(&name(turn))
    }

    /// Returns the event without text if its turn is private. Remembers the event's turn if it is
    /// private, and the phrases that were added to `words` when the event was captured. Errors are
    /// ignored: then the spool cannot be written either.
    pub fn redact(mut self, event: Event, words: &PrivateWords) -> Event {
        let turn = name(event.turn.as_deref());
        match event.kind {
            Kind::Prompt => {
                let is_over = |line: &String| match phrases(line) {
                    Some((of_turn, _)) => of_turn != SESSION && (of_turn != turn || turn == NO_ID),
                    None => turn == NO_ID,
                };
                if self.lines.iter().any(is_over) {
                    // Another hook of the session may have added lines since.
                    self.lines = lines(&self.paths, &self.key);
                    self.lines.retain(|line| !is_over(line));
                    let _ = self.rewrite();
                }
            }
            Kind::End => files(&self.paths, &self.key).into_iter().for_each(|file| {
                let _ = file.remove_file();
            }),
            _ => {}
        }
        let is_private = self.lines.contains(&turn);
        if event.kind == Kind::End {
            return if is_private { without_text(event) } else { event };
        }
        let mut new = String::new();
        if event.kind == Kind::Prompt && event.private {
            new = format!("{turn}\n");
        }
        let added = words.added();
        for (of_turn, hashes) in [(SESSION, added.values), (&turn, added.others)] {
            if let Some(hashes) = hashes {
                new.push_str(&format!("\t{of_turn}\t{hashes}\n"));
            }
        }
        if let Some(secrets) = words.secrets.added() {
            new.push_str(&format!("\t{SESSION}\t{SECRETS}{secrets}\n"));
        }
        if !new.is_empty() {
            let _ = self.append(&new);
        }
        if is_private { without_text(event) } else { event }
    }

    fn append(&self, text: &str) -> io::Result<()> {
        let file = self.paths.private_turns(&self.key);
        let append = || match file.append(text.as_bytes()) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                file.parent().make_dir()?;
                file.append(text.as_bytes())
            }
            appended => appended,
        };
        append().or_else(|_| {
            self.paths.create_fallback()?;
            self.paths.fallback_private_turns(&self.key).append(text.as_bytes())
        })
    }

    /// Replaces the files by one with the lines that are left.
    fn rewrite(&self) -> io::Result<()> {
        let text: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        for file in files(&self.paths, &self.key).into_iter().filter(|file| file.exists()) {
            replace(&file, &text)?;
        }
        Ok(())
    }
}

/// Replaces a file, or removes it if `text` is empty. A hook that reads it at the same time sees the old
/// or the new text.
fn replace(file: &Place, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return file.remove_file();
    }
    let new = format!("{}-{}", file.file_name().display(), std::process::id());
    let new = file.parent().join(new);
    let written = new.write(text.as_bytes()).and_then(|_| new.rename(file));
    written.inspect_err(|_| {
        let _ = new.remove_file();
    })
}

fn lines(paths: &Paths, key: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for file in files(paths, key) {
        let text = file.read_to_string().unwrap_or_default();
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

fn files(paths: &Paths, key: &str) -> [Place; 2] {
    [paths.private_turns(key), paths.fallback_private_turns(key)]
}

/// The turn and the hashes of a line with phrases.
fn phrases(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('\t')?.split_once('\t')
}

/// A turn's id, or a hash of it if it cannot be a line.
fn name(turn: Option<&str>) -> String {
    match turn {
        None => NO_ID.into(),
        Some(id) if id.contains(|c: char| c.is_control()) => format!("hash:{}", short_hash(id)),
        Some(id) => id.into(),
    }
}

fn without_text(event: Event) -> Event {
    Event { private: true, ..event.without_text() }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::paths::Roots;

    fn event(kind: Kind, turn: Option<&str>, private: bool) -> Event {
        Event {
            turn: turn.map(str::to_owned),
            text: (!private).then(|| "text".into()),
            private,
            ..Event::new(kind, "c", "s", 1)
        }
    }

    /// `events` are (kind, turn, entirely private) in order; `expected` is true for those that keep
    /// their text.
    #[track_caller]
    fn check(events: &[(Kind, Option<&str>, bool)], expected: &[bool]) {
        let dir = tempfile::tempdir().unwrap();
        let roots = |data: &str| Roots {
            data_dir: Some(dir.path().join(data).into()),
            socket_dir: Some(dir.path().into()),
            ..Roots::default()
        };
        let mut writable = Paths::new(&roots("data")).unwrap();
        writable.create().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let unwritable = Paths::new(&roots("file")).unwrap();
        for paths in [writable, unwritable] {
            let kept: Vec<bool> = events
                .iter()
                .map(|(kind, turn, private)| {
                    let event = event(*kind, *turn, *private);
                    let turns = PrivateTurns::read(&paths, "key");
                    let event = turns.redact(event, &PrivateWords::default());
                    assert_eq!(event.private, event.text.is_none());
                    !event.private
                })
                .collect();
            assert_eq!(kept, expected);
        }
    }

    #[test]
    fn a_turn_stays_private_until_the_session_ends() {
        let (one, two) = (Some("one"), Some("two"));
        check(
            &[
                (Kind::Tool, one, false),
                (Kind::Prompt, one, true),
                (Kind::Tool, one, false),
                (Kind::Prompt, one, false),
                (Kind::Prompt, two, false),
                (Kind::Tool, two, false),
                (Kind::Tool, one, false),
                (Kind::Stop, one, false),
                (Kind::End, two, false),
            ],
            &[true, false, false, false, true, true, false, false, true],
        );
    }

    #[test]
    fn without_turn_ids_the_next_prompt_ends_a_private_turn() {
        check(
            &[
                (Kind::Prompt, None, true),
                (Kind::Tool, None, false),
                (Kind::Prompt, None, false),
                (Kind::Tool, None, false),
            ],
            &[false, false, true, true],
        );
    }

    /// `prompts` are (turn, text). Returns `text` without the phrases that are private in `turn`.
    fn redacted(prompts: &[(Option<&str>, &str)], turn: Option<&str>, text: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = Some(dir.path().join("data").into());
        let socket_dir = Some(dir.path().into());
        let mut paths = Paths::new(&Roots { data_dir, socket_dir, ..Roots::default() }).unwrap();
        paths.create().unwrap();
        for (turn, private) in prompts {
            let turns = PrivateTurns::read(&paths, "key");
            let words = turns.words(*turn);
            words.add(private, "");
            turns.redact(event(Kind::Prompt, *turn, false), &words);
        }
        let words = PrivateTurns::read(&paths, "key").words(turn);
        words.redact(text).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn words_are_private_until_the_next_turn_and_values_until_the_session_ends() {
        let check = |prompts: &[(Option<&str>, &str)], turn, expected: &str| {
            assert_eq!(redacted(prompts, turn, "bluefin hunter2"), expected, "{prompts:?}");
        };
        let private = "bluefin hunter2";
        let (one, two, odd) = (Some("one"), Some("two"), Some("o\n\tdd"));
        check(&[(one, private)], one, "[private]");
        check(&[(one, private)], two, "bluefin [private]");
        check(&[(one, private)], None, "[private]");
        check(&[(one, private), (one, "more")], one, "[private]");
        check(&[(one, private), (two, "")], one, "bluefin [private]");
        check(&[(odd, private)], odd, "[private]");
        check(&[(None, private)], None, "[private]");
        check(&[(None, private), (None, "")], None, "bluefin [private]");
        check(&[(None, "bluefin"), (None, private)], None, "[private]");
    }

    #[test]
    fn a_turn_id_with_a_line_break_is_private_too() {
        let odd = Some("one\ntwo");
        check(&[(Kind::Prompt, odd, true), (Kind::Tool, odd, false)], &[false, false]);
        check(&[(Kind::Prompt, odd, true), (Kind::Tool, Some("two"), false)], &[false, true]);
    }
}
