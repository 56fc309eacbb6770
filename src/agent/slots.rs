//! Limits the number of agent programs on this machine: a running program holds one of
//! `agent.max_children` lock files. The kernel releases the lock when the worker dies.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::lock::{FileLock, LockGuard};
use crate::paths::Paths;

/// Pauses between two tries: no system call waits for one of several locks.
const SOON: Duration = Duration::from_millis(50);
const LATER: Duration = Duration::from_secs(1);

/// Waits for a free slot, without a limit.
pub async fn take(paths: &Paths, slots: usize) -> io::Result<LockGuard> {
    let mut pause = SOON;
    loop {
        for n in 0..slots.max(1) {
            if let Some(held) = FileLock::open(&paths.agent_slot(n))?.try_lock()? {
                return Ok(held);
            }
        }
        sleep_until(Instant::now() + pause).await;
        pause = (pause * 2).min(LATER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_awaited_while_all_are_taken() {
        let (_dir, paths) = testing::world();
        let first = take(&paths, 2).await.unwrap();
        let second = take(&paths, 2).await.unwrap();
        let third = tokio::spawn({
            let paths = paths.clone();
            async move { take(&paths, 2).await.unwrap() }
        });
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!third.is_finished());
        drop(first);
        let third = third.await.unwrap();
        drop((second, third));
    }
}
