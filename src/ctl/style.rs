//! Colors by meaning. `anstream` removes them when printing if the output is not a terminal or
//! `NO_COLOR` is set.

use owo_colors::Style;

/// Ids of memories and sessions.
pub const ID: Style = Style::new().dimmed();
pub const HEAD: Style = Style::new().bold();
pub const GOOD: Style = Style::new().green();
pub const CAUTION: Style = Style::new().yellow();
pub const BAD: Style = Style::new().red();
/// Words of a query in what it found.
pub const MATCH: Style = Style::new().yellow().bold();
pub const PLAIN: Style = Style::new();
pub const ERROR: Style = Style::new().red().bold();
pub const WARNING: Style = Style::new().yellow().bold();

pub fn paint(text: &str, style: Style) -> String {
    if style == PLAIN || text.is_empty() { text.to_owned() } else { style.style(text).to_string() }
}

/// The style of a state of a worker, a session or a queued event.
pub fn of_state(name: &str) -> Style {
    match name {
        "serving" | "active" => GOOD,
        "client exited" | "ending" | "stale" | "elsewhere" | "processing" => CAUTION,
        "hung" | "failed" => BAD,
        _ => PLAIN,
    }
}

/// The style of a log level.
pub fn of_level(name: &str) -> Style {
    match name {
        "ERROR" => BAD,
        "WARN" => CAUTION,
        _ => PLAIN,
    }
}
