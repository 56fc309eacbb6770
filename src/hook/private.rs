//! Which turns of a session are wholly private: a file says so to the hooks of their events, which
//! may have to spool what the store would drop.
//!
//! The file holds turn ids, one a line. It is made by the hook of a private prompt and goes with
//! the session's end. Where the data dir cannot be written it stands in the second place, as the
//! spool does.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use memctl_proto::{Event, Kind};

use crate::paths::Paths;
use crate::spool;

/// Stands for the turn of a client that has no turn ids: it lasts until the next prompt.
const NO_ID: &str = "-";

/// The event as it may be kept: without any text when its turn is private.
pub fn mark(paths: &Paths, key: &str, event: Event) -> Event {
    let turn = event.turn.clone().unwrap_or_else(|| NO_ID.into());
    match event.kind {
        Kind::Prompt if event.private => {
            let _ = add(paths, key, &turn);
            return event;
        }
        Kind::Prompt if turn == NO_ID => forget(paths, key),
        Kind::End => {
            let private = lists(paths, key, &turn);
            forget(paths, key);
            return if private { bare(event) } else { event };
        }
        _ => {}
    }
    if lists(paths, key, &turn) { bare(event) } else { event }
}

fn bare(event: Event) -> Event {
    Event { private: true, ..event.without_text() }
}

fn add(paths: &Paths, key: &str, turn: &str) -> io::Result<()> {
    let append = |file| {
        let mut options = OpenOptions::new();
        options
            .append(true)
            .create(true)
            .mode(0o600)
            .open(file)?
            .write_all(format!("{turn}\n").as_bytes())
    };
    append(paths.private_mark(key)).or_else(|_: io::Error| {
        spool::create_fallback(paths)?;
        append(paths.fallback_private_mark(key))
    })
}

fn lists(paths: &Paths, key: &str, turn: &str) -> bool {
    let says = |file| fs::read_to_string(file).is_ok_and(|turns| turns.lines().any(|t| t == turn));
    says(paths.private_mark(key))
        || spool::fallback_is_ours(paths) && says(paths.fallback_private_mark(key))
}

fn forget(paths: &Paths, key: &str) {
    let _ = fs::remove_file(paths.private_mark(key));
    if spool::fallback_is_ours(paths) {
        let _ = fs::remove_file(paths.fallback_private_mark(key));
    }
}

#[cfg(test)]
mod tests {
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

    /// Events in order (kind, turn, wholly private), and whether each may keep its text.
    #[track_caller]
    fn check(events: &[(Kind, Option<&str>, bool)], expected: &[bool]) {
        let dir = tempfile::tempdir().unwrap();
        let roots = |data: &str| Roots {
            data_dir: Some(dir.path().join(data).into()),
            socket_dir: Some(dir.path().into()),
            ..Roots::default()
        };
        let mut whole = Paths::new(&roots("data")).unwrap();
        whole.create().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let unwritable = Paths::new(&roots("file")).unwrap();
        for paths in [whole, unwritable] {
            let kept: Vec<bool> = events
                .iter()
                .map(|(kind, turn, private)| {
                    let marked = mark(&paths, "key", event(*kind, *turn, *private));
                    assert_eq!(marked.private, marked.text.is_none());
                    !marked.private
                })
                .collect();
            assert_eq!(kept, expected);
        }
    }

    #[test]
    fn a_turn_stays_private_whatever_comes_between() {
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
    fn without_turn_ids_it_lasts_until_the_next_prompt() {
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
}
