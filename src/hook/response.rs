//! The response of a hook: exactly one JSON object, printed in one write.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::text::escape_json;

/// The response that changes nothing. It is the same for every event and every client.
pub const NO_OP: &str = "{\"continue\":true,\"suppressOutput\":true}\n";

/// Set before the first byte is written, so that a fatal signal never adds a second object.
static PRINTED: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    NoOp,
    /// Context for the model, a line for the user, or both.
    Told {
        /// The client's name of the event. It ignores context for another one.
        event: &'static str,
        context: Option<String>,
        notice: Option<String>,
    },
}

impl Response {
    /// The response to a session's start: a no-op if there is neither context nor notice.
    pub fn start(context: String, notice: Option<String>) -> Response {
        let context = Some(context).filter(|c| !c.is_empty());
        if context.is_none() && notice.is_none() {
            return Response::NoOp;
        }
        Response::Told { event: "SessionStart", context, notice }
    }

    /// The response with memories, if there are any. It decides nothing about the tool use.
    pub fn recalled(event: &'static str, block: Option<String>) -> Response {
        match block {
            Some(_) => Response::Told { event, context: block, notice: None },
            None => Response::NoOp,
        }
    }

    fn to_json(&self) -> String {
        let Response::Told { event, context, notice } = self else { return NO_OP.to_owned() };
        let mut response = json!({"continue": true, "suppressOutput": true});
        if let Some(context) = context {
            response["hookSpecificOutput"] =
                json!({"hookEventName": event, "additionalContext": context});
        }
        if let Some(notice) = notice {
            response["systemMessage"] = json!(notice);
        }
        format!("{}\n", escape_json(&response.to_string()))
    }

    pub fn print(&self) {
        let json = self.to_json();
        if claim_stdout() {
            // Ignore write errors; the client may have closed the pipe.
            let _ = std::io::stdout().write_all(json.as_bytes());
        }
    }
}

/// Returns true once per process: the caller may print the response.
pub fn claim_stdout() -> bool {
    !PRINTED.swap(true, Ordering::SeqCst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_without_context_and_notice_is_a_no_op() {
        assert_eq!(Response::start(String::new(), None), Response::NoOp);
        assert_eq!(Response::NoOp.to_json(), NO_OP);
    }

    #[test]
    fn context_and_notice_have_their_own_fields() {
        let response = Response::start("block".into(), Some("1 event was lost".into()));
        let value: serde_json::Value = serde_json::from_str(&response.to_json()).unwrap();
        assert_eq!(value["hookSpecificOutput"]["additionalContext"], "block");
        assert_eq!(value["hookSpecificOutput"]["hookEventName"], "SessionStart");
        assert_eq!(value["systemMessage"], "1 event was lost");
        assert_eq!(value["continue"], true);
        let response = Response::recalled("PreToolUse", Some("block".into()));
        let value: serde_json::Value = serde_json::from_str(&response.to_json()).unwrap();
        let expected = json!({"hookEventName": "PreToolUse", "additionalContext": "block"});
        assert_eq!(value["hookSpecificOutput"], expected);
        assert_eq!(Response::recalled("PreToolUse", None), Response::NoOp);
    }
}
