//! Reads a reply that is a JSON object into the fields that a reply of elements has.

use serde_json::{Map, Value};

/// The fields of one observation or summary, in order: name and text.
pub type Fields = Vec<(String, String)>;

/// The observations and the summaries of a reply.
#[derive(Debug, Default, PartialEq)]
pub struct Parts {
    pub observations: Vec<Fields>,
    pub summaries: Vec<Fields>,
}

/// `None` if `text` is no such object. It may stand in a code fence, and may end early: then the
/// observations and summaries before its end count.
pub fn parts(text: &str) -> Option<Parts> {
    let text = text.trim().trim_matches('`').trim();
    let text = text.strip_prefix("json").unwrap_or(text).trim_start();
    let whole = serde_json::from_str(text).ok();
    let reply = whole.or_else(|| serde_json::from_str(&closed(text)?).ok());
    let Some(Value::Object(mut reply)) = reply else { return None };
    let (observations, summaries) = (reply.remove("observations"), reply.remove("summary"));
    if observations.is_none() && summaries.is_none() {
        return None;
    }
    Some(Parts { observations: objects(observations), summaries: objects(summaries) })
}

/// An object that ends early, cut after the last whole object of one of its lists, and closed.
fn closed(text: &str) -> Option<String> {
    let mut open = Vec::new();
    let (mut in_string, mut escaped, mut end) = (false, false, None);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => open.push(byte),
            b'}' | b']' => {
                open.pop()?;
                if byte == b'}' && open == *b"{[" {
                    end = Some(at + 1);
                }
            }
            _ => {}
        }
    }
    Some(format!("{}]}}", &text[..end?]))
}

/// The objects of a list. A server that does not apply the schema may return one object alone.
fn objects(value: Option<Value>) -> Vec<Fields> {
    let values = match value {
        Some(Value::Array(values)) => values,
        Some(value) => vec![value],
        None => Vec::new(),
    };
    let objects = values.into_iter().filter_map(|value| match value {
        Value::Object(object) => Some(fields(object)),
        _ => None,
    });
    objects.collect()
}

fn fields(object: Map<String, Value>) -> Fields {
    let mut out = Fields::new();
    for (name, value) in object {
        // An element of a list has a name of its own.
        let name = match name.as_str() {
            "facts" => "fact",
            "concepts" => "concept",
            _ => &name,
        };
        let values = match value {
            Value::Array(values) if name == "events" => {
                let numbers: Vec<String> = values.iter().map(Value::to_string).collect();
                vec![Value::String(numbers.join(" "))]
            }
            Value::Array(values) => values,
            value => vec![value],
        };
        out.extend(values.into_iter().filter_map(|value| match value {
            Value::String(text) => Some((name.to_owned(), text)),
            _ => None,
        }));
    }
    out
}
