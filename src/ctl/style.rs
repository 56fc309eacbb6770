//! Colours: what means what. Whether they are shown (a terminal, `NO_COLOR`, `CLICOLOR_FORCE`) is
//! decided where things are printed.

use owo_colors::Style;

/// Names of memories and sessions: to be copied, not read.
pub const ID: Style = Style::new().dimmed();
pub const HEAD: Style = Style::new().bold();
pub const GOOD: Style = Style::new().green();
pub const PASSING: Style = Style::new().yellow();
pub const BAD: Style = Style::new().red();
pub const PLAIN: Style = Style::new();

pub fn paint(text: &str, style: Style) -> String {
    if style == PLAIN || text.is_empty() { text.to_owned() } else { style.style(text).to_string() }
}

/// How the state of a worker, a session or a queued event looks.
pub fn of_state(name: &str) -> Style {
    match name {
        "serving" | "active" => GOOD,
        "ending" | "stale" | "processing" => PASSING,
        "hung" | "failed" => BAD,
        _ => PLAIN,
    }
}

/// How a line of this level looks in a log.
pub fn of_level(name: &str) -> Style {
    match name {
        "ERROR" => BAD,
        "WARN" => PASSING,
        _ => PLAIN,
    }
}
