//! Emits context once if hooks are registered twice, by the plugin and in the settings. The client
//! then runs a pair of SessionStart hooks: the first emits the context, the second the no-op
//! response.
//!
//! Both hooks of a pair have the same session, client process and source. A file lists the starts
//! of the last seconds, one per line. Older lines are removed, because the same process may start
//! the same session again later. If the file cannot be written, both hooks emit the context.

use std::time::Duration;

use memctl_proto::Event;

use crate::lock;
use crate::paths::Paths;

/// Starts within this time are a pair. The client runs both hooks at the same time, in any order.
const PAIR_MS: i64 = 2_000;

/// How long to wait for the other hook to release the file. A hook that hangs there must not delay
/// the session.
const LOCK_TIMEOUT: Duration = Duration::from_millis(50);

/// Whether this start is the first of its pair. Records it.
pub fn is_first(paths: &Paths, key: &str, event: &Event) -> bool {
    record(paths, key, event).unwrap_or(true)
}

fn record(paths: &Paths, key: &str, event: &Event) -> std::io::Result<bool> {
    let process = event.process.map(|p| format!("{}-{}", p.pid, p.start)).unwrap_or_default();
    let start = format!("{key} {process} {}", event.reason.as_deref().unwrap_or_default());
    let path = paths.recent_starts();
    let Some(_lock) = lock::acquire(&path, Some(LOCK_TIMEOUT))? else { return Ok(true) };
    // A power failure may have left invalid text; it is removed like an old line.
    let text = path.read()?;
    let text = String::from_utf8_lossy(&text);
    let is_recent = |line: &&str| {
        let at = line.split(' ').next().and_then(|at| at.parse::<i64>().ok());
        at.is_some_and(|at| (event.at - at).abs() <= PAIR_MS)
    };
    let mut lines: Vec<&str> = text.lines().filter(is_recent).collect();
    if lines.iter().any(|line| line.split_once(' ').is_some_and(|(_, other)| other == start)) {
        return Ok(false);
    }
    let own = format!("{} {start}", event.at);
    lines.push(&own);
    path.write((lines.join("\n") + "\n").as_bytes())?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use memctl_proto::Kind;
    use memctl_proto::event::Process;

    use super::*;
    use crate::paths::Roots;

    #[test]
    fn one_start_of_a_pair_is_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = Some(dir.path().join("data").into());
        let mut paths = Paths::new(&Roots { data_dir, ..Roots::default() }).unwrap();
        paths.create().unwrap();
        let start = |key: &str, pid: i32, reason: &str, at: i64| {
            let mut event = Event::new(Kind::Start, "c", "s", at);
            event.process = Some(Process { pid, start: 7 });
            event.reason = Some(reason.into());
            is_first(&paths, key, &event)
        };
        assert!(start("a", 1, "startup", 1000));
        assert!(!start("a", 1, "startup", 1300), "the same start");
        assert!(!start("a", 1, "startup", 900), "the same start with an earlier time");
        assert!(start("a", 2, "startup", 1300), "another client process");
        assert!(start("b", 1, "startup", 1300), "another session");
        assert!(start("a", 1, "compact", 1300), "another source");
        assert!(start("a", 1, "startup", 4000), "a later start");
        let kept = std::fs::read_to_string(paths.recent_starts()).unwrap();
        assert_eq!(kept.lines().count(), 1, "{kept}");
        std::fs::write(paths.recent_starts(), b"\xff\xfe\n").unwrap();
        assert!(start("a", 1, "startup", 9000));
        assert!(!start("a", 1, "startup", 9001), "the damaged file was rewritten");
        std::fs::remove_dir_all(paths.data()).unwrap();
        assert!(start("a", 1, "startup", 4001), "without a file every start is the first");
    }
}
