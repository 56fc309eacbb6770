//! Named points at which a test can abort, kill or pause this program. Release builds have none.
//!
//! ```text
//! MEMCTL_TESTPOINT=NAME=ACTION,NAME#3=ACTION,…      #3: only at the third visit
//! abort        calls abort()
//! exit         calls _exit(86) without cleanup
//! kill         raises SIGKILL
//! panic        panics
//! mark:PATH    creates PATH, which shows that the point was reached
//! pause:PATH   creates PATH and waits until it is removed
//! ```
//!
//! The program aborts if the list is invalid, so that a typo cannot disable a test.
//!
//! Two more variables make the program behave like another release, and one like another account:
//!
//! ```text
//! MEMCTL_TEST_VERSION   protocol version
//! MEMCTL_TEST_SCHEMA    schema version
//! MEMCTL_TEST_HOME      home directory in the password database
//! ```

/// Runs the actions for this point.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn at(_name: &str) {}

/// Runs the actions for one item at this point. The point's name is `NAME:ITEM`.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn at_item(_name: &str, _item: Option<&str>) {}

#[cfg(debug_assertions)]
pub use points::{at, at_item};

/// The schema version to use instead of the real one.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn schema_version() -> Option<i64> {
    None
}

/// The home directory to use instead of the one in the password database.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn account_home() -> Option<std::path::PathBuf> {
    None
}

/// Sets the protocol version if a test overrides it.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn override_protocol_version() {}

#[cfg(debug_assertions)]
pub use release::{account_home, override_protocol_version, schema_version};

#[cfg(debug_assertions)]
mod release {
    use std::path::PathBuf;
    use std::str::FromStr;
    use std::sync::OnceLock;

    /// The home directory to use instead of the one in the password database.
    pub fn account_home() -> Option<PathBuf> {
        crate::config::process_env("MEMCTL_TEST_HOME").map(PathBuf::from)
    }

    /// The schema version to use instead of the real one.
    pub fn schema_version() -> Option<i64> {
        static SCHEMA: OnceLock<Option<i64>> = OnceLock::new();
        *SCHEMA.get_or_init(|| number("MEMCTL_TEST_SCHEMA"))
    }

    /// Sets the protocol version if a test overrides it.
    pub fn override_protocol_version() {
        number("MEMCTL_TEST_VERSION").into_iter().for_each(memctl_proto::override_version);
    }

    fn number<N: FromStr>(name: &str) -> Option<N> {
        let text = crate::config::process_env(name).filter(|text| !text.is_empty())?;
        let number = text.to_str().and_then(|text| text.parse().ok());
        number.or_else(|| {
            eprintln!("{name}: {} is not a number", text.display());
            std::process::abort()
        })
    }
}

#[cfg(debug_assertions)]
mod points {
    use std::collections::HashMap;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process;
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, raise};

    /// Maximum length of a pause. Then the program aborts, because the test has probably died.
    const MAX_PAUSE: Duration = Duration::from_secs(120);
    const EXIT_CODE: i32 = 86;

    #[derive(Clone, Debug, PartialEq)]
    enum Action {
        Abort,
        Exit,
        Kill,
        Panic,
        Mark(PathBuf),
        Pause(PathBuf),
    }

    #[derive(Debug, PartialEq)]
    struct Point {
        name: String,
        /// The visit at which to act, counted from 1. `None`: every visit.
        visit: Option<u32>,
        action: Action,
    }

    static POINTS: OnceLock<Vec<Point>> = OnceLock::new();
    static VISITS: Mutex<Option<HashMap<String, u32>>> = Mutex::new(None);

    /// Runs the actions for this point.
    pub fn at(name: &str) {
        let points = POINTS.get_or_init(from_env);
        if points.iter().any(|p| p.name == name) {
            let n = count(name);
            points.iter().filter(|p| due(p, name, n)).for_each(|p| act(&p.action, name));
        }
    }

    /// Runs the actions for one item at this point. The point's name is `NAME:ITEM`.
    pub fn at_item(name: &str, item: Option<&str>) {
        if let Some(item) = item {
            at(&format!("{name}:{item}"));
        }
    }

    fn due(point: &Point, name: &str, n: u32) -> bool {
        point.name == name && point.visit.is_none_or(|p| p == n)
    }

    fn count(name: &str) -> u32 {
        let mut visits = VISITS.lock().unwrap_or_else(PoisonError::into_inner);
        let n = visits.get_or_insert_default().entry(name.to_owned()).or_insert(0);
        *n += 1;
        *n
    }

    fn from_env() -> Vec<Point> {
        let list = crate::config::process_env("MEMCTL_TESTPOINT").unwrap_or_default();
        parse(&list.to_string_lossy()).unwrap_or_else(|why| {
            eprintln!("MEMCTL_TESTPOINT: {why}");
            process::abort()
        })
    }

    fn parse(list: &str) -> Result<Vec<Point>, String> {
        list.split(',').filter(|item| !item.is_empty()).map(point).collect()
    }

    fn point(item: &str) -> Result<Point, String> {
        let (point, action) = item.split_once('=').ok_or(format!("'{item}' has no action"))?;
        let (name, visit) = match point.split_once('#') {
            Some((name, n)) => {
                (name, Some(n.parse().map_err(|_| format!("'{n}' is not a number"))?))
            }
            None => (point, None),
        };
        let action = match action {
            "abort" => Action::Abort,
            "exit" => Action::Exit,
            "kill" => Action::Kill,
            "panic" => Action::Panic,
            other => match other.split_once(':') {
                Some(("pause", path)) if !path.is_empty() => Action::Pause(path.into()),
                Some(("mark", path)) if !path.is_empty() => Action::Mark(path.into()),
                _ => return Err(format!("unknown action '{other}'")),
            },
        };
        Ok(Point { name: name.to_owned(), visit, action })
    }

    fn act(action: &Action, name: &str) {
        match action {
            Action::Abort => process::abort(),
            // SAFETY: `_exit` ends the process without running any handler.
            Action::Exit => unsafe { nix::libc::_exit(EXIT_CODE) },
            Action::Kill => drop(raise(Signal::SIGKILL)),
            Action::Panic => panic!("test point {name}"),
            Action::Mark(path) => mark(path),
            Action::Pause(path) => pause(path),
        }
    }

    fn mark(path: &Path) {
        if let Err(e) = fs::write(path, process::id().to_string()) {
            eprintln!("MEMCTL_TESTPOINT: {}: {e}", path.display());
            process::abort();
        }
    }

    fn pause(path: &Path) {
        let end = Instant::now() + MAX_PAUSE;
        mark(path);
        while path.exists() {
            if Instant::now() > end {
                process::abort();
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "a pause polls for the file that the test removes"
            )]
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn lists_are_parsed() {
            let point = |name: &str, visit, action| Point { name: name.into(), visit, action };
            let all = parse("a.b=abort,c#3=kill,d=pause:/x/y,e=panic,f#1=exit,g=mark:/m").unwrap();
            assert_eq!(
                all,
                [
                    point("a.b", None, Action::Abort),
                    point("c", Some(3), Action::Kill),
                    point("d", None, Action::Pause("/x/y".into())),
                    point("e", None, Action::Panic),
                    point("f", Some(1), Action::Exit),
                    point("g", None, Action::Mark("/m".into())),
                ]
            );
            assert_eq!(parse(""), Ok(vec![]));
        }

        #[test]
        fn invalid_lists_are_rejected() {
            for list in ["a", "a=", "a=abrt", "a#x=abort", "a=pause:", "a=pause", "a=mark:"] {
                assert!(parse(list).is_err(), "{list}");
            }
        }

        #[test]
        fn a_numbered_visit_is_due_once() {
            let at_2 = Point { name: "p".into(), visit: Some(2), action: Action::Panic };
            let due_at: Vec<u32> =
                (0..4).map(|_| count("p")).filter(|n| due(&at_2, "p", *n)).collect();
            assert_eq!(due_at, [2]);
            assert!(!due(&at_2, "q", 2));
        }

        #[test]
        fn a_pause_ends_when_its_file_is_removed() {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("here");
            let paused = std::thread::spawn({
                let path = path.clone();
                move || pause(&path)
            });
            let end = Instant::now() + Duration::from_secs(10);
            while fs::remove_file(&path).is_err() {
                assert!(Instant::now() < end, "never paused");
                std::thread::yield_now();
            }
            paused.join().unwrap();
        }
    }
}
