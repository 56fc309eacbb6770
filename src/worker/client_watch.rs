//! Watches the client processes of the session, without polling, until the last one has exited.
//!
//! Every event names its client process. If a process cannot be watched (no pidfd), the watch
//! reports nothing, and only the idle watchdog remains.

use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;

use memctl_proto::event::Process;
use memctl_proto::{Event, Kind};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::owner::Session;
use crate::clock;
use crate::process::Handle;

/// Must be used inside a tokio runtime.
#[derive(Default)]
pub struct ClientWatch {
    seen: HashSet<Process>,
    running: JoinSet<()>,
    /// At least one running client cannot be watched.
    blind: bool,
    /// The client that was seen last, until its exit is reported.
    latest: Option<Process>,
}

impl ClientWatch {
    /// Watches the client of an event. Returns true if it is new and running.
    pub fn watch(&mut self, process: Process) -> bool {
        if !self.seen.insert(process) {
            return false;
        }
        self.latest = Some(process);
        // `open` compares the start time: a later process with the same pid is not the client.
        let Some(handle) = Handle::open(&process) else { return false };
        let watched = handle.into_fd().map(|fd| {
            // SAFETY: the `AsyncFd` owns the descriptor and keeps it open until it is dropped.
            unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }
        });
        match watched {
            Some(Ok(fd)) => drop(self.running.spawn(exited(fd))),
            _ => self.blind = true,
        }
        true
    }

    /// Waits until all clients have exited, and returns the one that was seen last. The next call
    /// waits for another client. Never returns while no client is known or if one cannot be
    /// watched.
    pub async fn all_exited(&mut self) -> Process {
        while self.running.join_next().await.is_some() {}
        match self.latest.filter(|_| !self.blind) {
            Some(process) => {
                self.latest = None;
                process
            }
            None => std::future::pending().await,
        }
    }
}

/// The `end` of a session whose client exited without sending one. The event id depends only on the
/// client and the prompt, so that a repeat is recognized as a duplicate.
pub fn end_event(session: &Session, prompt: i64, client: Process) -> Event {
    let Process { pid, start } = client;
    let name = format!("{} without {pid} {start} at {prompt}", session.key);
    let mut end = Event::new(Kind::End, &session.client, &session.id, clock::now_ms());
    end.id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
    end.reason = Some("client_gone".into());
    end
}

async fn exited(fd: AsyncFd<OwnedFd>) {
    // An error ends the watch too.
    let _: io::Result<_> = fd.readable().await;
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::process;

    const LONG: Duration = Duration::from_secs(20);

    /// A process that runs until it is killed.
    fn client() -> (Child, Process) {
        let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let child = child.unwrap();
        let process = process::lookup(child.id().cast_signed()).expect("running");
        (child, process)
    }

    fn kill(mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    async fn assert_pending(watch: &mut ClientWatch) {
        assert_eq!(timeout(Duration::from_millis(30), watch.all_exited()).await.ok(), None);
    }

    async fn all_exited(watch: &mut ClientWatch) -> Process {
        timeout(LONG, watch.all_exited()).await.expect("reported")
    }

    #[tokio::test]
    async fn the_exit_of_the_last_client_is_reported_once() {
        let ((one, a), (two, b)) = (client(), client());
        let mut watch = ClientWatch::default();
        assert_pending(&mut watch).await;
        assert!(watch.watch(a) && watch.watch(b));
        assert!(!watch.watch(a), "known");
        kill(two);
        assert_pending(&mut watch).await;
        kill(one);
        assert_eq!(all_exited(&mut watch).await, b);
        assert_pending(&mut watch).await;
        assert!(!watch.watch(b), "known");
        assert_pending(&mut watch).await;
    }

    #[tokio::test]
    async fn a_later_client_is_watched_too() {
        let ((one, a), (two, b)) = (client(), client());
        let mut watch = ClientWatch::default();
        watch.watch(a);
        kill(one);
        assert_eq!(all_exited(&mut watch).await, a);
        assert!(watch.watch(b));
        assert_pending(&mut watch).await;
        kill(two);
        assert_eq!(all_exited(&mut watch).await, b);
    }

    #[tokio::test]
    async fn a_client_that_exited_before_its_event_is_reported() {
        let (child, running) = client();
        let mut watch = ClientWatch::default();
        let exited = Process { start: running.start - 1, ..running };
        assert!(!watch.watch(exited), "another process has its pid");
        assert_eq!(all_exited(&mut watch).await, exited);
        watch.watch(running);
        assert_pending(&mut watch).await;
        kill(child);
        assert_eq!(all_exited(&mut watch).await, running);
    }

    #[tokio::test]
    async fn nothing_is_reported_if_a_client_cannot_be_watched() {
        let (child, process) = client();
        let mut watch = ClientWatch { blind: true, ..ClientWatch::default() };
        watch.watch(process);
        kill(child);
        assert_pending(&mut watch).await;
    }
}
