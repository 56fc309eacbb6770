//! Times whole processes from outside and summarizes many runs.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The error says why a row could not be measured.
pub type Result<T> = std::result::Result<T, String>;

/// Runs that are not counted.
const WARM_UP: usize = 20;

/// One thing to measure repeatedly. `once` returns the time to count, without its setup and
/// cleanup.
pub struct Line<'a> {
    pub name: &'static str,
    pub build: Build,
    pub once: Box<dyn FnMut() -> Result<Duration> + 'a>,
}

pub fn line<'a>(name: &'static str, once: impl FnMut() -> Result<Duration> + 'a) -> Line<'a> {
    Line { name, build: Build::Current, once: Box::new(once) }
}

impl Line<'_> {
    pub fn of(mut self, build: Build) -> Self {
        self.build = build;
        self
    }
}

/// The program directory that a line runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// `--built`; the floors, too.
    Current,
    /// `--against`.
    Against,
}

/// The sorted times of one line.
pub struct Samples {
    pub name: &'static str,
    pub build: Build,
    times: Vec<Duration>,
}

impl Samples {
    pub fn of(name: &'static str, mut times: Vec<Duration>) -> Samples {
        times.sort_unstable();
        Samples { name, build: Build::Current, times }
    }

    pub fn len(&self) -> usize {
        self.times.len()
    }

    pub fn median(&self) -> f64 {
        self.at(0.5)
    }

    pub fn p99(&self) -> f64 {
        self.at(0.99)
    }

    /// In milliseconds.
    fn at(&self, share: f64) -> f64 {
        let rank = (self.times.len() as f64 * share).ceil() as usize;
        self.times[rank.saturating_sub(1)].as_secs_f64() * 1e3
    }
}

/// Measures the lines in turn, so that load on the machine affects all of them alike. Every second
/// round runs backwards, so that no line always follows the same one. A line that fails is dropped.
pub fn interleave(runs: usize, lines: Vec<Line<'_>>) -> Vec<Result<Samples>> {
    let mut lines: Vec<_> = lines.into_iter().map(|line| (line, Ok(Vec::new()))).collect();
    for round in 0..WARM_UP + runs {
        let mut order: Vec<_> = lines.iter_mut().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (line, times) in order {
            let Ok(so_far) = times else { continue };
            match (line.once)() {
                Ok(time) if round >= WARM_UP => so_far.push(time),
                Ok(_) => {}
                Err(why) => *times = Err(format!("{}: {why}", line.name)),
            }
        }
    }
    let samples = |(line, times): (Line<'_>, Result<_>)| {
        times.map(|times| Samples { build: line.build, ..Samples::of(line.name, times) })
    };
    lines.into_iter().map(samples).collect()
}

/// Runs a process with pipes at stdin and stdout, as a client does. Returns the time from before
/// the spawn to after the wait, and stdout.
pub fn whole_process(command: &mut Command, stdin: &[u8]) -> Result<(Duration, String)> {
    let mut printed = String::new();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let start = Instant::now();
    let mut child = command.spawn().map_err(|e| format!("{command:?}: {e}"))?;
    // A program that exits without reading breaks the pipe; its exit status is checked below.
    let _ = child.stdin.take().expect("piped").write_all(stdin);
    let read = child.stdout.take().expect("piped").read_to_string(&mut printed);
    let status = child.wait().map_err(|e| e.to_string())?;
    let took = start.elapsed();
    read.map_err(|e| e.to_string())?;
    if !status.success() {
        return Err(format!("{:?} ended with {status}", command.get_args().collect::<Vec<_>>()));
    }
    Ok((took, printed))
}

/// Polls until there is an answer, for at most 10 seconds.
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
        if let Some(answer) = poll()? {
            return Ok(answer);
        }
        pause(Duration::from_millis(2));
    }
    Err(format!("no sign of {what} within {limit:?}"))
}

#[expect(clippy::disallowed_methods, reason = "observing an idle process takes time")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
