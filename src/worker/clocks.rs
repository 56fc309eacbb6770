//! Deadlines of a worker, in waking time. An idle worker has no ticks: it sleeps until the
//! nearest deadline, hours away.

use tokio::time::{Duration, Instant};

use super::state::Input;
use crate::config;

/// When which time is over.
#[derive(Debug)]
pub struct Clocks {
    limits: config::Worker,
    age: Instant,
    idle: Instant,
    linger: Option<Instant>,
    end: Option<Instant>,
    /// Until when the end of a session whose client has gone may still come in.
    grace: Option<Instant>,
    /// When the queue or the store is worth another look.
    again: Option<Instant>,
    /// When what there is makes a batch, for nothing more has come.
    quiet: Option<Instant>,
}

/// Whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Input(Input),
    LookAgain,
    Quiet,
}

impl Clocks {
    pub fn start(limits: config::Worker, now: Instant) -> Clocks {
        Clocks {
            age: now + limits.max_age,
            idle: now + limits.idle_timeout,
            linger: None,
            end: None,
            grace: None,
            again: None,
            quiet: None,
            limits,
        }
    }

    /// An event came in.
    pub fn heard(&mut self, now: Instant) {
        self.idle = now + self.limits.idle_timeout;
    }

    /// `patience`: none at all for a worker that only recovers.
    pub fn start_linger(&mut self, now: Instant, patience: Option<Duration>) {
        self.linger.get_or_insert(now + patience.unwrap_or(self.limits.linger));
    }

    pub fn stop_linger(&mut self) {
        self.linger = None;
    }

    pub fn lingers(&self) -> bool {
        self.linger.is_some()
    }

    pub fn start_end(&mut self, now: Instant) {
        self.end.get_or_insert(now + self.limits.end_deadline);
    }

    pub fn stop_end(&mut self) {
        self.end = None;
    }

    pub fn start_grace(&mut self, now: Instant) {
        self.grace = Some(now + self.limits.client_grace);
    }

    pub fn stop_grace(&mut self) {
        self.grace = None;
    }

    pub fn look_again(&mut self, at: Instant) {
        self.again = Some(self.again.map_or(at, |before| before.min(at)));
    }

    /// How long the queue has to wait is known: whether that is longer than the end may take.
    pub fn end_is_before(&self, at: Instant) -> bool {
        self.end.is_some_and(|end| end < at)
    }

    pub fn start_quiet(&mut self, at: Instant) {
        self.quiet = Some(at);
    }

    /// The nearest deadline. There always is one: the age.
    pub fn nearest(&self) -> Instant {
        let optional = [self.linger, self.end, self.grace, self.again, self.quiet];
        let always = [self.age, self.idle];
        optional.into_iter().flatten().chain(always).min().expect("the age")
    }

    /// What is over by now; each is told once.
    pub fn due(&mut self, now: Instant) -> Option<Due> {
        let over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if over(self.end) {
            self.end = None;
            return Some(Due::Input(Input::EndOver));
        }
        // Told again only after the end deadline, which ends all.
        if over(Some(self.age)) {
            self.age += self.limits.max_age.max(Duration::from_secs(1));
            self.idle = self.age;
            return Some(Due::Input(Input::AgeOver));
        }
        if over(Some(self.idle)) {
            self.idle = now + self.limits.idle_timeout.max(Duration::from_secs(1));
            return Some(Due::Input(Input::IdleOver));
        }
        if over(self.grace) {
            self.grace = None;
            return Some(Due::Input(Input::ClientGone));
        }
        if over(self.linger) {
            self.linger = None;
            return Some(Due::Input(Input::LingerOver));
        }
        if over(self.again) {
            self.again = None;
            return Some(Due::LookAgain);
        }
        if over(self.quiet) {
            self.quiet = None;
            return Some(Due::Quiet);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> config::Worker {
        config::Config::from(&|_| None, None, false).worker
    }

    async fn wait(clocks: &mut Clocks) -> Due {
        tokio::time::sleep_until(clocks.nearest()).await;
        clocks.due(Instant::now()).expect("its time has come")
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_worker_sleeps_until_its_idle_time_is_over() {
        let begin = Instant::now();
        let mut clocks = Clocks::start(limits(), begin);
        tokio::time::advance(Duration::from_secs(60)).await;
        clocks.heard(Instant::now());
        assert_eq!(wait(&mut clocks).await, Due::Input(Input::IdleOver));
        assert_eq!(begin.elapsed().as_secs(), 60 + 2 * 3600);
        assert!(clocks.due(Instant::now()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn age_counts_whatever_is_heard() {
        let begin = Instant::now();
        let mut clocks = Clocks::start(limits(), begin);
        let mut heard = 0;
        while clocks.nearest() < begin + Duration::from_secs(24 * 3600) {
            tokio::time::advance(Duration::from_secs(3600)).await;
            clocks.heard(Instant::now());
            heard += 1;
        }
        assert_eq!(wait(&mut clocks).await, Due::Input(Input::AgeOver));
        assert!((22..=24).contains(&heard));
    }

    #[tokio::test(start_paused = true)]
    async fn lingering_is_taken_back_and_started_anew() {
        let mut clocks = Clocks::start(limits(), Instant::now());
        clocks.start_linger(Instant::now(), None);
        tokio::time::advance(Duration::from_secs(29)).await;
        clocks.stop_linger();
        clocks.start_linger(Instant::now(), None);
        let begin = Instant::now();
        assert_eq!(wait(&mut clocks).await, Due::Input(Input::LingerOver));
        assert_eq!(begin.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_comes_back_in_time_is_not_gone() {
        let mut clocks = Clocks::start(limits(), Instant::now());
        clocks.start_grace(Instant::now());
        tokio::time::advance(Duration::from_secs(4)).await;
        clocks.stop_grace();
        assert_eq!(wait(&mut clocks).await, Due::Input(Input::IdleOver));
        let begin = Instant::now();
        clocks.start_grace(begin);
        assert_eq!(wait(&mut clocks).await, Due::Input(Input::ClientGone));
        assert_eq!(begin.elapsed().as_secs(), 5);
        assert_eq!(wait(&mut clocks).await, Due::Input(Input::IdleOver), "told once");
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_has_a_deadline() {
        let mut clocks = Clocks::start(limits(), Instant::now());
        clocks.start_end(Instant::now());
        clocks.look_again(Instant::now() + Duration::from_secs(1));
        assert_eq!(wait(&mut clocks).await, Due::LookAgain);
        assert_eq!(wait(&mut clocks).await, Due::Input(Input::EndOver));
    }
}
