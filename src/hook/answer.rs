//! What a hook prints: exactly one JSON object, in one write.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

/// The answer that changes nothing, the same for every event and every client.
pub const NEUTRAL: &str = "{\"continue\":true,\"suppressOutput\":true}\n";

/// Set before the first byte is written, so that a fatal signal never adds a second object.
static ANSWERED: AtomicBool = AtomicBool::new(false);

/// What the client is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Neutral,
    /// Context for the model, a line for the user, or both.
    Start {
        context: Option<String>,
        notice: Option<String>,
    },
}

impl Answer {
    /// Of a session's start: neutral when there is nothing to say.
    pub fn start(context: String, notice: Option<String>) -> Answer {
        let context = Some(context).filter(|c| !c.is_empty());
        if context.is_none() && notice.is_none() {
            return Answer::Neutral;
        }
        Answer::Start { context, notice }
    }

    fn text(&self) -> String {
        let Answer::Start { context, notice } = self else { return NEUTRAL.to_owned() };
        let mut answer = json!({"continue": true, "suppressOutput": true});
        if let Some(context) = context {
            answer["hookSpecificOutput"] =
                json!({"hookEventName": "SessionStart", "additionalContext": context});
        }
        if let Some(notice) = notice {
            answer["systemMessage"] = json!(notice);
        }
        format!("{answer}\n")
    }

    pub fn print(&self) {
        let text = self.text();
        if claim() {
            // A client that does not listen is no trouble of ours.
            let _ = std::io::stdout().write_all(text.as_bytes());
        }
    }
}

/// Whether the caller is the one who may print; true once per process.
pub fn claim() -> bool {
    !ANSWERED.swap(true, Ordering::SeqCst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_say_is_neutral() {
        assert_eq!(Answer::start(String::new(), None), Answer::Neutral);
        assert_eq!(Answer::Neutral.text(), NEUTRAL);
    }

    #[test]
    fn context_and_notice_stand_apart() {
        let answer = Answer::start("block".into(), Some("1 event was lost".into()));
        let value: serde_json::Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!(value["hookSpecificOutput"]["additionalContext"], "block");
        assert_eq!(value["hookSpecificOutput"]["hookEventName"], "SessionStart");
        assert_eq!(value["systemMessage"], "1 event was lost");
        assert_eq!(value["continue"], true);
    }
}
