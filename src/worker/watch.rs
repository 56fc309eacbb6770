//! Is the client still there? Every event names the process that its session belongs to; all that
//! a worker has heard of are watched, without a poll, until the last has gone.
//!
//! Where the kernel has no handle on a process, or refuses it, nothing can be said: the idle
//! watchdog remains.

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

/// The clients of a session. Needs a runtime.
#[derive(Default)]
pub struct Watch {
    heard: HashSet<Process>,
    alive: JoinSet<()>,
    /// One of them cannot be watched.
    blind: bool,
    /// The last that was heard of, until its end has been told.
    latest: Option<Process>,
}

impl Watch {
    /// An event named `process`. Whether that is news, and it lives.
    pub fn hear(&mut self, process: Process) -> bool {
        if !self.heard.insert(process) {
            return false;
        }
        self.latest = Some(process);
        // Compared with its start time: a later process of the same pid is not the client.
        let Some(handle) = Handle::open(&process) else { return false };
        let watched = handle.into_fd().map(|fd| {
            // SAFETY: the descriptor is owned, moves into the watch, and is closed after it.
            unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }
        });
        match watched {
            Some(Ok(fd)) => drop(self.alive.spawn(gone(fd))),
            _ => self.blind = true,
        }
        true
    }

    /// Whether a client was ever named.
    pub fn knows_any(&self) -> bool {
        !self.heard.is_empty()
    }

    /// Waits until the last client has gone, and tells which one was heard of last; once, until
    /// another is heard of. Never, when none was, or one cannot be watched.
    pub async fn last_gone(&mut self) -> Process {
        while self.alive.join_next().await.is_some() {}
        match self.latest.filter(|_| !self.blind) {
            Some(process) => {
                self.latest = None;
                process
            }
            None => std::future::pending().await,
        }
    }
}

/// The end of a session that its client could not send. The same one if it must be said again.
pub fn end_without(session: &Session, prompt: i64, client: Process) -> Event {
    let Process { pid, start } = client;
    let name = format!("{} without {pid} {start} at {prompt}", session.key);
    let mut end = Event::new(Kind::End, &session.client, &session.id, clock::now_ms());
    end.id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
    end.reason = Some("client_gone".into());
    end
}

async fn gone(fd: AsyncFd<OwnedFd>) {
    // An error is an end too: of the watch.
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

    /// Lives until it is killed.
    fn client() -> (Child, Process) {
        let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let child = child.unwrap();
        let process = process::lookup(child.id().cast_signed()).expect("just born");
        (child, process)
    }

    fn end(mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    async fn silent(watch: &mut Watch) {
        assert_eq!(timeout(Duration::from_millis(30), watch.last_gone()).await.ok(), None);
    }

    async fn told(watch: &mut Watch) -> Process {
        timeout(LONG, watch.last_gone()).await.expect("told")
    }

    #[tokio::test]
    async fn the_last_one_counts_and_is_told_once() {
        let ((one, a), (other, b)) = (client(), client());
        let mut watch = Watch::default();
        silent(&mut watch).await;
        assert!(watch.hear(a) && watch.hear(b));
        assert!(!watch.hear(a), "no news");
        end(other);
        silent(&mut watch).await;
        end(one);
        assert_eq!(told(&mut watch).await, b);
        silent(&mut watch).await;
        assert!(!watch.hear(b), "no news");
        silent(&mut watch).await;
    }

    #[tokio::test]
    async fn one_that_comes_later_is_waited_for_too() {
        let ((one, a), (other, b)) = (client(), client());
        let mut watch = Watch::default();
        watch.hear(a);
        end(one);
        assert_eq!(told(&mut watch).await, a);
        assert!(watch.hear(b));
        silent(&mut watch).await;
        end(other);
        assert_eq!(told(&mut watch).await, b);
    }

    #[tokio::test]
    async fn one_that_had_gone_before_it_was_heard_of_is_gone() {
        let (child, live) = client();
        let mut watch = Watch::default();
        let earlier = Process { start: live.start - 1, ..live };
        assert!(!watch.hear(earlier), "its pid is another's now");
        assert_eq!(told(&mut watch).await, earlier);
        watch.hear(live);
        silent(&mut watch).await;
        end(child);
        assert_eq!(told(&mut watch).await, live);
    }

    #[tokio::test]
    async fn where_one_cannot_be_watched_nothing_is_said() {
        let (child, process) = client();
        let mut watch = Watch { blind: true, ..Watch::default() };
        watch.hear(process);
        end(child);
        silent(&mut watch).await;
    }
}
