//! Removes the text of events in entirely private turns. The store would drop it too, but a hook
//! may have to spool the event, and then the text would be on disk until the spool is drained.
//!
//! A file lists the session's private turns, one turn id per line. The hook of a private prompt
//! creates it and the hook of SessionEnd removes it. If the data dir cannot be written, the file
//! is in the fallback location, like the spool.

use std::io;

use memctl_proto::{Event, Kind};

use crate::files::Place;
use crate::paths::Paths;

/// Stands for the turn of a client without turn ids. The turn lasts until the next prompt.
const NO_ID: &str = "-";

/// Returns the event without text if its turn is private.
pub fn redact(paths: &Paths, key: &str, event: Event) -> Event {
    let turn = event.turn.clone().unwrap_or_else(|| NO_ID.into());
    match event.kind {
        Kind::Prompt if event.private => {
            let _ = add(paths, key, &turn);
            return event;
        }
        Kind::Prompt if turn == NO_ID => remove(paths, key),
        Kind::End => {
            let private = contains(paths, key, &turn);
            remove(paths, key);
            return if private { without_text(event) } else { event };
        }
        _ => {}
    }
    if contains(paths, key, &turn) { without_text(event) } else { event }
}

fn without_text(event: Event) -> Event {
    Event { private: true, ..event.without_text() }
}

fn add(paths: &Paths, key: &str, turn: &str) -> io::Result<()> {
    let line = format!("{turn}\n");
    paths.private_turns(key).append(line.as_bytes()).or_else(|_| {
        paths.create_fallback()?;
        paths.fallback_private_turns(key).append(line.as_bytes())
    })
}

fn contains(paths: &Paths, key: &str, turn: &str) -> bool {
    let has_turn =
        |file: Place| file.read_to_string().is_ok_and(|turns| turns.lines().any(|t| t == turn));
    has_turn(paths.private_turns(key)) || has_turn(paths.fallback_private_turns(key))
}

fn remove(paths: &Paths, key: &str) {
    let _ = paths.private_turns(key).remove_file();
    let _ = paths.fallback_private_turns(key).remove_file();
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
                    let event = redact(&paths, "key", event(*kind, *turn, *private));
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
}
