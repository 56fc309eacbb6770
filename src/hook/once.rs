//! Of two registrations of the hooks (plugin and settings) one tells a starting session what memory
//! holds; the other's answer is neutral.
//!
//! A start is known by its session, its client's process and what the client calls it. The file
//! says which were told a moment ago, a line each, and forgets them after that: the same words of
//! the same process later are another start. Where it cannot be written, twice is better than never.

use std::fs;
use std::time::Duration;

use memctl_proto::Event;

use crate::lock;
use crate::paths::Paths;

/// Two registrations are run side by side, in any order.
const MOMENT_MS: i64 = 2_000;

/// How long the other one may look into the file. A hook that hangs there keeps no session waiting.
const PATIENCE: Duration = Duration::from_millis(50);

/// Whether nobody has told this start yet; from now on somebody has.
pub fn first_to_tell(paths: &Paths, key: &str, event: &Event) -> bool {
    claim(paths, key, event).unwrap_or(true)
}

fn claim(paths: &Paths, key: &str, event: &Event) -> std::io::Result<bool> {
    let process = event.process.map(|p| format!("{}-{}", p.pid, p.start)).unwrap_or_default();
    let start = format!("{key} {process} {}", event.reason.as_deref().unwrap_or_default());
    let path = paths.recent_starts();
    let Some(_held) = lock::acquire(&path, Some(PATIENCE))? else { return Ok(true) };
    // What a power cut made of it is forgotten like all that is old.
    let text = fs::read(&path)?;
    let text = String::from_utf8_lossy(&text);
    let fresh = |line: &&str| {
        let at = line.split(' ').next().and_then(|at| at.parse::<i64>().ok());
        at.is_some_and(|at| (event.at - at).abs() <= MOMENT_MS)
    };
    let mut lines: Vec<&str> = text.lines().filter(fresh).collect();
    if lines.iter().any(|line| line.split_once(' ').is_some_and(|(_, told)| told == start)) {
        return Ok(false);
    }
    let own = format!("{} {start}", event.at);
    lines.push(&own);
    fs::write(&path, lines.join("\n") + "\n")?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use memctl_proto::Kind;
    use memctl_proto::event::Process;

    use super::*;
    use crate::paths::Roots;

    #[test]
    fn one_start_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = Some(dir.path().join("data").into());
        let mut paths = Paths::new(&Roots { data_dir, ..Roots::default() }).unwrap();
        paths.create().unwrap();
        let start = |key: &str, pid: i32, reason: &str, at: i64| {
            let mut event = Event::new(Kind::Start, "c", "s", at);
            event.process = Some(Process { pid, start: 7 });
            event.reason = Some(reason.into());
            first_to_tell(&paths, key, &event)
        };
        assert!(start("a", 1, "startup", 1000));
        assert!(!start("a", 1, "startup", 1300), "the other registration");
        assert!(!start("a", 1, "startup", 900), "whichever was first");
        assert!(start("a", 2, "startup", 1300), "another client of the same session");
        assert!(start("b", 1, "startup", 1300));
        assert!(start("a", 1, "compact", 1300));
        assert!(start("a", 1, "startup", 4000), "later, it is another one");
        let kept = std::fs::read_to_string(paths.recent_starts()).unwrap();
        assert_eq!(kept.lines().count(), 1, "{kept}");
        std::fs::write(paths.recent_starts(), b"\xff\xfe\n").unwrap();
        assert!(start("a", 1, "startup", 9000));
        assert!(!start("a", 1, "startup", 9001), "a file that was damaged is whole again");
        std::fs::remove_dir_all(paths.data()).unwrap();
        assert!(start("a", 1, "startup", 4001), "rather twice than never");
    }
}
