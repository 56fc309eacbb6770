//! memctl's own modules for the fuzz targets. memctl has no library crate, so this crate compiles the
//! modules below the roles a second time.

// memctl runs the tests of its modules itself.
#![cfg(not(test))]
#![allow(dead_code, unused_imports, reason = "the targets use only parts of the modules")]
#![allow(clippy::all, reason = "the modules are linted in memctl, where they are private")]

#[path = "../../src/activity/mod.rs"]
pub mod activity;
#[path = "../../src/capture/mod.rs"]
pub mod capture;
#[path = "../../src/clients/mod.rs"]
pub mod clients;
#[path = "../../src/clock.rs"]
pub mod clock;
#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/failure.rs"]
pub mod failure;
#[path = "../../src/files/mod.rs"]
pub mod files;
#[path = "../../src/git/mod.rs"]
pub mod git;
#[path = "../../src/guard.rs"]
pub mod guard;
#[path = "../../src/lock/mod.rs"]
pub mod lock;
#[path = "../../src/memory/mod.rs"]
pub mod memory;
#[path = "../../src/paths.rs"]
pub mod paths;
#[path = "../../src/process/mod.rs"]
pub mod process;
#[path = "../../src/project/mod.rs"]
pub mod project;
#[path = "../../src/spool/mod.rs"]
pub mod spool;
#[path = "../../src/store/mod.rs"]
pub mod store;
#[path = "../../src/terms/mod.rs"]
pub mod terms;
#[path = "../../src/testpoint.rs"]
pub mod testpoint;
#[path = "../../src/text/mod.rs"]
pub mod text;
#[path = "../../src/ctl/transcript/claude_code.rs"]
pub mod transcript;
#[path = "../../src/truth/mod.rs"]
pub mod truth;

/// The parser of model replies.
#[path = "../../src/agent"]
pub mod agent {
    pub mod error;
    pub mod json_reply;
    pub mod lessons;
    pub mod parse;
    pub mod repetition;
    pub mod tags;
    pub mod wordings;
}

use std::ffi::OsString;
use std::path::Path;
use std::sync::LazyLock;

use capture::{CaptureContext, Captured, PrivateWords};
use config::{Recording, Settings};
use memctl_proto::{Event, MAX_BODY};

/// A home directory of its own, in memory if possible.
pub static HOME: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let dir = Path::new("/dev/shm");
    if dir.is_dir() { tempfile::tempdir_in(dir) } else { tempfile::tempdir() }
        .expect("a temporary directory")
});

/// The settings of a user with this home directory.
pub fn settings() -> Settings {
    let home = || HOME.path().to_owned();
    let env = |name: &str| match name {
        "HOME" => Some(OsString::from(home())),
        "MEMCTL_SOCKET_DIR" => Some(home().join("sockets").into()),
        _ => None,
    };
    config::load(&env, Ok(Some(home())), &|_| Vec::new()).expect("a data dir")
}

/// Captures a payload as a hook does, and checks the event.
pub fn captured(text: &str, event: Option<&str>, words: &PrivateWords) -> Option<Event> {
    let recording = Recording::default();
    let config = settings().config;
    let context = CaptureContext {
        event,
        client: "claude-code",
        project_dir: None,
        fallback_dir: None,
        recording: &recording,
        limits: config.capture,
        private: words,
        redact: &config.redact,
        now: 1_700_000_000_000,
        process: None,
    };
    let (payload, _) = capture::Payload::read(text);
    let Ok(Captured::Event(event)) = capture::capture(&payload, &context) else { return None };
    check(&event);
    Some(*event)
}

/// Every event fits into a message and survives the spool.
pub fn check(event: &Event) {
    let json = event.to_json();
    assert!(json.len() < MAX_BODY, "{} bytes", json.len());
    assert_eq!(&Event::from_json(&json).expect("valid JSON"), event);
}
