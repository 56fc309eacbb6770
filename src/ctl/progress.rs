//! What a long command is doing, as one line on stderr.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Shorter commands show nothing.
const DELAY: Duration = Duration::from_secs(1);

/// How often the line is written again.
const INTERVAL: Duration = Duration::from_millis(100);

/// Shows a line as long as this exists, if stderr is a terminal. A thread writes it, so that it also
/// appears while the command waits.
pub struct Progress {
    line: Arc<Line>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Line {
    /// `None`: the command is done.
    text: Mutex<Option<String>>,
    changed: Condvar,
}

impl Progress {
    pub fn new(text: &str) -> Progress {
        let line = Arc::new(Line { text: Mutex::new(Some(text.into())), ..Line::default() });
        let shown = line.clone();
        let start = || thread::Builder::new().name("progress".into()).spawn(move || shown.show());
        let thread = io::stderr().is_terminal().then(start).and_then(Result::ok);
        Progress { line, thread }
    }

    pub fn set(&self, text: impl FnOnce() -> String) {
        if self.thread.is_some() {
            *self.line.text.lock().expect("never poisoned") = Some(text());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        *self.line.text.lock().expect("never poisoned") = None;
        self.line.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Line {
    fn show(&self) {
        let mut text = self.text.lock().expect("never poisoned");
        let (mut wait, mut is_shown) = (DELAY, false);
        loop {
            let is_running = |text: &mut Option<String>| text.is_some();
            text =
                self.changed.wait_timeout_while(text, wait, is_running).expect("never poisoned").0;
            match &*text {
                Some(text) => {
                    let _ = write!(io::stderr(), "\r\x1b[K{text}");
                }
                None if is_shown => {
                    let _ = write!(io::stderr(), "\r\x1b[K");
                    return;
                }
                None => return,
            }
            (wait, is_shown) = (INTERVAL, true);
        }
    }
}
