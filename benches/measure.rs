//! Times whole processes from outside and summarizes many runs.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The error is the reason why a row could not be measured.
pub type Result<T> = std::result::Result<T, String>;

/// Number of runs before those that count.
const WARM_UP: usize = 20;

/// One operation to measure repeatedly. `once` runs it and returns its time, without setup and cleanup.
pub struct Case<'a> {
    pub name: &'static str,
    pub build: Build,
    pub once: Box<dyn FnMut() -> Result<Duration> + 'a>,
}

pub fn case<'a>(name: &'static str, once: impl FnMut() -> Result<Duration> + 'a) -> Case<'a> {
    Case { name, build: Build::Current, once: Box::new(once) }
}

impl Case<'_> {
    pub fn with_build(mut self, build: Build) -> Self {
        self.build = build;
        self
    }
}

/// The build that a case runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// The build of `--built`, or the build of this benchmark. Also contains the floors.
    Current,
    /// The build of `--against`.
    Against,
}

/// The sorted times of one case.
pub struct Samples {
    pub name: &'static str,
    pub build: Build,
    times: Vec<Duration>,
}

impl Samples {
    pub fn new(name: &'static str, mut times: Vec<Duration>) -> Samples {
        times.sort_unstable();
        Samples { name, build: Build::Current, times }
    }

    pub fn len(&self) -> usize {
        self.times.len()
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub fn p99(&self) -> f64 {
        self.quantile(0.99)
    }

    /// Returns a quantile in milliseconds.
    fn quantile(&self, share: f64) -> f64 {
        let rank = (self.times.len() as f64 * share).ceil() as usize;
        self.times[rank.saturating_sub(1)].as_secs_f64() * 1e3
    }
}

/// Measures the cases in turn, so that load on the machine affects all of them alike. Every second
/// round runs in reverse order, so that no case always follows the same one. A case that fails is not
/// run again.
pub fn interleave(runs: usize, cases: Vec<Case<'_>>) -> Vec<Result<Samples>> {
    let mut cases: Vec<_> = cases.into_iter().map(|case| (case, Ok(Vec::new()))).collect();
    for round in 0..WARM_UP + runs {
        let mut order: Vec<_> = cases.iter_mut().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (case, times) in order {
            let Ok(so_far) = times else { continue };
            match (case.once)() {
                Ok(time) if round >= WARM_UP => so_far.push(time),
                Ok(_) => {}
                Err(why) => *times = Err(format!("{}: {why}", case.name)),
            }
        }
    }
    let samples = |(case, times): (Case<'_>, Result<_>)| {
        times.map(|times| Samples { build: case.build, ..Samples::new(case.name, times) })
    };
    cases.into_iter().map(samples).collect()
}

/// Runs a process with pipes as stdin and stdout, as a client does. Returns the time from before the
/// spawn to after the wait, and the text on stdout.
pub fn whole_process(command: &mut Command, stdin: &[u8]) -> Result<(Duration, String)> {
    let mut printed = String::new();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn().map_err(|e| format!("{command:?}: {e}"))?;
    // A program that exits without reading breaks the pipe. Its exit status is checked below.
    let _ = child.stdin.take().expect("piped").write_all(stdin);
    let read = child.stdout.take().expect("piped").read_to_string(&mut printed);
    let status = child.wait().map_err(|e| e.to_string())?;
    let took = start.elapsed();
    read.map_err(|e| e.to_string())?;
    if !status.success() {
        return Err(format!("{:?} exited with {status}", command.get_args().collect::<Vec<_>>()));
    }
    Ok((took, printed))
}

/// Polls until there is a result, for at most 10 seconds.
pub fn wait_for<T>(what: &str, poll: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    wait_within(Duration::from_secs(10), what, poll)
}

pub fn wait_within<T>(
    limit: Duration,
    what: &str,
    mut poll: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some(result) = poll()? {
            return Ok(result);
        }
        pause(Duration::from_millis(2));
    }
    Err(format!("timed out after {limit:?} waiting for {what}"))
}

#[expect(clippy::disallowed_methods, reason = "observing an idle process takes time")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
