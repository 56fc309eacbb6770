//! The deadlines of a worker, as plain data.
//!
//! An idle worker has no periodic tick: the event loop sleeps until the nearest deadline, which may
//! be hours away. Deadlines are on CLOCK_MONOTONIC, so time in suspend does not count.

use std::time::Instant;

/// If several deadlines have passed, the first in this order is handled first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// An ending worker exits, even if the queue is not empty.
    EndDeadline,
    /// The worker reaches `worker.max_age`.
    MaxAge,
    /// No event has arrived for `worker.idle_timeout`.
    Idle,
    /// The clients have exited and the session's `end` did not arrive within `worker.client_grace`.
    ClientGrace,
    /// The session was at rest for `worker.linger`.
    Linger,
    /// A deferred message may be claimed, or a failed store is tried again.
    Retry,
    /// No event has arrived for `agent.batch_quiet`: a small batch is claimed.
    BatchQuiet,
}

impl Timer {
    pub const ALL: [Timer; 7] = [
        Timer::EndDeadline,
        Timer::MaxAge,
        Timer::Idle,
        Timer::ClientGrace,
        Timer::Linger,
        Timer::Retry,
        Timer::BatchQuiet,
    ];
}

#[derive(Clone, Debug, Default)]
pub struct Timers {
    deadlines: [Option<Instant>; Timer::ALL.len()],
}

impl Timers {
    /// Sets the deadline; replaces an earlier one.
    pub fn arm(&mut self, timer: Timer, at: Instant) {
        self.deadlines[timer as usize] = Some(at);
    }

    /// Sets the deadline unless it is set already.
    pub fn arm_once(&mut self, timer: Timer, at: Instant) {
        self.deadlines[timer as usize].get_or_insert(at);
    }

    /// Sets the deadline unless an earlier one is set.
    pub fn arm_earlier(&mut self, timer: Timer, at: Instant) {
        let earliest = self.deadline(timer).map_or(at, |set| set.min(at));
        self.arm(timer, earliest);
    }

    pub fn disarm(&mut self, timer: Timer) {
        self.deadlines[timer as usize] = None;
    }

    pub fn deadline(&self, timer: Timer) -> Option<Instant> {
        self.deadlines[timer as usize]
    }

    pub fn is_armed(&self, timer: Timer) -> bool {
        self.deadline(timer).is_some()
    }

    pub fn nearest(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// Disarms and returns the first timer whose deadline has passed.
    pub fn expire(&mut self, now: Instant) -> Option<Timer> {
        let passed = |timer: &Timer| self.deadline(*timer).is_some_and(|at| at <= now);
        let timer = Timer::ALL.into_iter().find(passed)?;
        self.disarm(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_expire_once_and_in_order_of_priority() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        assert_eq!(timers.nearest(), None);
        timers.arm(Timer::Linger, at(1));
        timers.arm(Timer::EndDeadline, at(2));
        assert_eq!(timers.nearest(), Some(at(1)));
        assert_eq!(timers.expire(at(0)), None);
        assert_eq!(timers.expire(at(2)), Some(Timer::EndDeadline));
        assert_eq!(timers.expire(at(2)), Some(Timer::Linger));
        assert_eq!(timers.expire(at(2)), None);
    }

    #[test]
    fn arming_can_keep_an_earlier_deadline() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        timers.arm_once(Timer::Linger, at(1));
        timers.arm_once(Timer::Linger, at(0));
        assert_eq!(timers.deadline(Timer::Linger), Some(at(1)));
        timers.arm_earlier(Timer::Retry, at(5));
        timers.arm_earlier(Timer::Retry, at(7));
        timers.arm_earlier(Timer::Retry, at(3));
        assert_eq!(timers.deadline(Timer::Retry), Some(at(3)));
        timers.arm(Timer::Retry, at(9));
        assert_eq!(timers.deadline(Timer::Retry), Some(at(9)));
        timers.disarm(Timer::Retry);
        assert!(!timers.is_armed(Timer::Retry));
    }
}
