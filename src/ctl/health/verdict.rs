//! The verdict of the checks: whether sessions in the current directory are recorded, and whether a
//! check failed. `memctl`, `status` and `doctor` print it, and the first two also what led to it.

use super::{Finding, Fix, Level};
use crate::ctl::format::count;
use crate::ctl::style::{BAD, CAUTION, GOOD, HEAD, paint};
use crate::ctl::terminal::wrapped;
use crate::text::escape;

/// The verdict on a list of findings.
pub struct Verdict<'a> {
    /// Why sessions in the current directory are not recorded.
    obstacle: Option<&'a Finding>,
    pub failures: u64,
}

impl<'a> Verdict<'a> {
    pub fn of(found: &'a [Finding]) -> Verdict<'a> {
        let obstacle = found.iter().find(|finding| finding.stops_recording);
        let failures = found.iter().filter(|finding| finding.level == Level::Wrong).count();
        Verdict { obstacle, failures: failures as u64 }
    }

    pub fn is_recorded(&self) -> bool {
        self.obstacle.is_none()
    }

    /// Why sessions in the current directory are not recorded.
    pub fn obstacle(&self) -> Option<&'a Finding> {
        self.obstacle
    }

    /// One sentence.
    pub fn sentence(&self) -> String {
        let place = "Sessions in this directory are";
        match (self.obstacle, self.failures) {
            (Some(finding), _) => format!("{place} not recorded: {}.", finding.message),
            (None, 0) => format!("{place} recorded."),
            (None, n) => format!("{place} recorded, but {} failed.", count(n, "check")),
        }
    }

    /// The sentence in the color of the verdict.
    pub fn text(&self, width: Option<usize>) -> String {
        self.paint(&self.sentence(), width)
    }

    /// The sentence in the color of the verdict, with what to do.
    pub fn text_and_fix(&self, width: Option<usize>) -> String {
        let sentence = self.sentence();
        match self.obstacle.and_then(|finding| finding.fix.as_ref()) {
            None => self.paint(&sentence, width),
            Some(Fix::Text(fix)) => {
                self.paint(&format!("{}; {fix}.", sentence.trim_end_matches('.')), width)
            }
            Some(Fix::Commands(commands)) => {
                let lines: String = commands.iter().map(|c| format!("  {c}\n")).collect();
                self.paint(&format!("{sentence} Run:"), width) + &lines
            }
        }
    }

    fn paint(&self, text: &str, width: Option<usize>) -> String {
        let style = match self.obstacle.map(|finding| finding.level) {
            None if self.failures == 0 => GOOD,
            Some(Level::Note) => CAUTION,
            _ => BAD,
        };
        let text = wrapped("", 0, &escape(text), width);
        text.lines().map(|line| format!("{}\n", paint(line, style))).collect()
    }

    /// Every other finding that is not ok, failures first.
    pub fn others(&self, found: &[Finding], width: Option<usize>) -> String {
        let is_obstacle =
            |finding: &Finding| self.obstacle.is_some_and(|o| std::ptr::eq(o, finding));
        let line = |finding: &Finding| {
            let first = match finding.level {
                Level::Wrong => format!("{} ", paint("problem:", BAD)),
                Level::Note | Level::Ok => format!("{}    ", paint("note:", HEAD)),
            };
            wrapped(&first, 9, &escape(&finding.sentence()), width)
        };
        let of_level = |level: Level| found.iter().filter(move |finding| finding.level == level);
        let all = of_level(Level::Wrong).chain(of_level(Level::Note));
        all.filter(|finding| !is_obstacle(finding)).map(line).collect()
    }
}
