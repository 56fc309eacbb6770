//! Limits the number of agent programs on this machine: a running program holds one of
//! `agent.max_children` lock files. The kernel releases the lock when the worker dies.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::lock::{FileLock, LockGuard};
use crate::paths::Paths;

/// The pause between two attempts grows from the first to the second. It is needed because no system
/// call waits for any one of several locks.
const MIN_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Waits for a free slot, without a timeout.
pub async fn take(paths: &Paths, slots: usize) -> io::Result<LockGuard> {
    let mut pause = MIN_PAUSE;
    loop {
        for n in 0..slots.max(1) {
            if let Some(guard) = FileLock::open(&paths.agent_slot(n))?.try_lock()? {
                return Ok(guard);
            }
        }
        sleep_until(Instant::now() + pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    #[tokio::test(start_paused = true)]
    async fn take_waits_while_all_slots_are_held() {
        let (_dir, paths) = testing::temp_paths();
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
