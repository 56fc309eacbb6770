//! How many programs of backends run on this machine at a time: whoever runs one holds one of
//! `agent.max_children` lock files. The kernel lets go of it on any death.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::lock::{FileLock, LockGuard};
use crate::paths::Paths;

/// Between two looks: no kernel waits for one of several locks.
const SOON: Duration = Duration::from_millis(50);
const LATER: Duration = Duration::from_secs(1);

/// Waits for a free slot, for as long as it takes; whoever waits drops nothing.
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
    async fn who_finds_none_free_waits_for_one() {
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
